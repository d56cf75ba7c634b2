"""Small trainings, half of them made to fail, recorded to their end without rules or scheduler: what rules are set on.

A history is a file NNNN.json: ``{"params": {"optimizer.lr_g": 0.001, ...}, "fault": "d_too_strong" or null, "end":
"completed", "epochs": [{"epoch": 1, "fid": 163.5, "d_loss": 0.9, "diversity": 0.4, ...}, ...]}``. A training that stops
being finite has fewer epochs; its last one has no FID and a value that is NaN.
"""

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.bench_search import BASE, EXTRACTOR, SEARCH
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.loop import train
from trainers.run_report import Decision, EpochReport

SPEED = ("images_per_second", "checkpoint_seconds", "fid_seconds")  # of the machine, not of the training

# What is made to fail, laid over a random setting of bench_search.
FAULTS: dict[str, dict[str, Any]] = {
    "huge_rate_of_g": {"optimizer.lr_g": 0.3},
    "huge_rate_of_d": {"optimizer.lr_d": 0.3},
    "huge_rates": {"optimizer.lr_g": 0.05, "optimizer.lr_d": 0.05, "optimizer.beta1": 0.9},
    "tiny_rate_of_g": {"optimizer.lr_g": 1e-7},
    "tiny_rate_of_d": {"optimizer.lr_d": 1e-7},
    "d_too_strong": {"optimizer.lr_d": 1e-2, "optimizer.lr_g": 2e-5, "regime.name": "n_critic", "regime.n_critic": 3},
    "d_too_weak": {"optimizer.lr_d": 1e-5, "optimizer.lr_g": 1e-2, "regime.g_steps": 2},
    "hardly_any_latents": {"noise.latent_sigma": 1e-3},
    "one_latent": {"network.latent_dim": 1},
    "nearly_equal_labels": {"loss.name": "bce", "loss.real_label": 0.51, "loss.fake_label": 0.49},
    "far_labels": {"loss.name": "lsgan", "loss.real_label": 20.0, "loss.fake_label": -20.0},
    "critic_without_bounds": {"loss.name": "wasserstein", "optimizer.lr_d": 5e-3, "optimizer.lr_g": 1e-3},
    "critic_in_tight_bounds": {"loss.name": "wasserstein", "regularizer.weight_clip": 1e-4},
    "huge_penalty": {"regularizer.r1_gamma": 1e4},
    "blinding_noise": {"noise.instance_sigma": 5.0, "noise.instance_decay": None},
    "saturating": {"loss.name": "saturating", "optimizer.lr_d": 5e-3},
}


def settings(count: int, seed: int) -> list[tuple[str | None, dict[str, Any]]]:
    """Random settings of bench_search's space; every second one has a fault, one after the other.

    Args:
        count: how many.
        seed: of the settings; the faults are the same.
    """
    rng, drawn = random.Random(seed), []
    for number in range(count):
        fault = list(FAULTS)[number // 2 % len(FAULTS)] if number % 2 else None
        params = {name: _draw(domain, rng) for name, domain in SEARCH.items()}
        drawn.append((fault, {**params, **(FAULTS[fault] if fault else {})}))
    return drawn


def _draw(domain: dict[str, Any], rng: random.Random) -> Any:
    if "choice" in domain:
        return rng.choice(domain["choice"])
    low, high = domain["float"]
    value = low * (high / low) ** rng.random() if domain.get("log") else rng.uniform(low, high)
    return float(f"{value:.3g}")


def config_of(params: dict[str, Any], epochs: int, fakes: int, seed: int = 0) -> TrainConfig:
    """The whole config: bench_search's base, a FID of `fakes` fakes at every epoch, no checkpoint before the end."""
    schedule = {"epochs": epochs, "window_first": epochs, "checkpoint_every": epochs, "samples_every": epochs}
    fid = {"extractor": EXTRACTOR, "n_fake": fakes, "every": 1, "min_diversity": 0.0}
    return TrainConfig.build({**BASE, "seed": seed, "schedule": schedule, "fid": fid}, params)


def record(images: Path, folder: Path, count: int, epochs: int, fakes: int, seed: int) -> None:
    """Train every setting whose file is not in `folder` yet, on the CPU, and write its file.

    Args:
        images: the data, one folder.
        folder: of the histories; made if need be.
        count: number of settings.
        epochs: of each.
        fakes: generated images of each FID.
        seed: of the settings and the trainings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    assets = Assets(images, folder / "cache", torch.device("cpu"))
    for number, (fault, params) in enumerate(settings(count, seed)):
        file = folder / f"{number:04d}.json"
        if file.exists():
            continue
        reports: list[dict[str, Any]] = []

        def keep(report: EpochReport, reports: list[dict[str, Any]] = reports) -> Decision:
            reports.append(_row(report))
            return Decision.CONTINUE

        with tempfile.TemporaryDirectory() as scratch:
            outcome = train(config_of(params, epochs, fakes, seed + number), assets, Path(scratch), keep)
        told = {"params": params, "fault": fault, "end": outcome.end.value, "epochs": reports}
        written = file.with_suffix(".part")
        written.write_text(json.dumps(told))
        written.replace(file)
        fids = [row["fid"] for row in reports if "fid" in row]
        best = f"best FID {min(fids):.0f}, last {fids[-1]:.0f}" if fids else "no FID"
        print(f"{file.name} {fault or 'random'}: {outcome.end.value} after {len(reports)} epochs, {best}", flush=True)


def _row(report: EpochReport) -> dict[str, Any]:
    measured = report.measurement
    metrics = {name: float(f"{value:.5g}") for name, value in report.logged.items() if name not in SPEED}
    return {"epoch": report.epoch, **({"fid": float(f"{measured.fid:.5g}")} if measured else {}), **metrics}
