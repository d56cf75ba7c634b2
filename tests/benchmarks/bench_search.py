"""Compute until gan-sweep finds the best FID of an unpruned random search, on a real small search.

Usage: python -m tests.benchmarks.bench_search [--trials 20] [--seeds 3] [--epochs 12] [--repeats 2] [--folder DIR]
       [--digits 1797] [--fakes 256] [--most 20] [--start 30]

For each seed two `gan-sweep launch` on scikit-learn's 1,797 digits, or the first of them, as images of 32 px:

a. random: N trials of the random sampler, none of them cut; FID only inside the window, so that it wastes nothing.
b. ours: TPE, ASHA, rules and few fakes before the window, until a trial's objective is at most the best of a, or until
   it has had as much time as all of a, or `--most` times as many trials.

Compute is the sum over all trials of their epochs' wall time, training and FID; beside it the time on the clock, with
the gaps between epochs and trials, and the images trained. Both start from the same mediocre setting. They have
different seeds: with the same one TPE would draw its first settings as the random sampler does, and then need only
repeat the luckiest run of a instead of finding one as good.

Then the best setting of each random search is trained again with other seeds: how much of its FID was luck.
With --folder a second call goes on where the first was ended.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from rich.console import Console

from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.results.store import ResultsStore
from orchestrator.sweep.ray_session import connected
from tests.benchmarks.common import print_setting
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.loop import train
from trainers.run_report import Decision, EpochReport

BASE: dict[str, Any] = {
    "data": {"image_size": 32, "batch_size": 32, "flip_p": 0, "rotation_p": 0},
    "network": {"name": "dcgan", "base_width": 8, "latent_dim": 32},
    "loss": {"name": "bce"},
    "regime": {"ema_halflife_images": 2000},
    "optimizer": {"lr_g": 1e-4, "lr_d": 1e-4, "beta1": 0.5},
}
EXTRACTOR = "efficientnet_lite0"
SEARCH: dict[str, Any] = {
    "optimizer.lr_g": {"float": [1e-5, 2e-2], "log": True},
    "optimizer.lr_d": {"float": [1e-5, 2e-2], "log": True},
    "optimizer.beta1": {"float": [0.0, 0.9]},
    "loss.name": {"choice": ["bce", "lsgan", "hinge", "ralsgan"]},
    "noise.instance_sigma": {"float": [0.0, 0.2]},
}
DIGITS = 1797  # all that there are
PARTS = ("whole", "until_best", "ours")
OURS_SEED = 1000  # added to the seed of the random search


@dataclass(frozen=True)
class Effort:
    """What was spent: seconds of epochs and FIDs, seconds on the clock since the first step, images trained."""

    seconds: float
    clock: float
    images: int


@dataclass(frozen=True)
class Row:
    """One seed: the random search whole and until its own best, ours until it was as good or ended."""

    seed: int
    best: float
    whole: Effort
    until_best: Effort
    ours: Effort
    reached: bool
    ours_best: float | None
    ours_trials: int

    def ratio(self, what: str) -> str:
        """Ours against the whole random search."""
        return f"{'' if self.reached else '> '}{getattr(self.ours, what) / getattr(self.whole, what):.2f}"


def write_digits(folder: Path, count: int) -> None:
    """The first `count` of the 8 x 8 grey digits as 32 px RGB images."""
    from sklearn.datasets import load_digits

    folder.mkdir(parents=True, exist_ok=True)
    for number, digit in enumerate(load_digits().images[:count]):
        picture = Image.fromarray((digit / 16 * 255).round().astype(np.uint8))
        picture.resize((32, 32), Image.Resampling.BICUBIC).convert("RGB").save(folder / f"{number:04d}.png")


def write_spaces(folder: Path, epochs: int, fakes: int, min_diversity: float) -> None:
    """``random.yaml`` and ``ours.yaml``: the same search, done in two ways. Objectives come from the same two epochs.

    ASHA's settings are from a pilot of 18 other random settings: FID at epochs 2, 4, 6 and 8 of 12 ranked them as their
    objectives did with 0.45, 0.73, 0.70 and 0.82 (Spearman). Cuts at 2 and 8 to one in 4, replayed over 400 orders,
    kept the best in 98% of them and cost 0.40 of all epochs; at 2 and 6 to one in 3 in 59%, and cost 0.43.
    """
    schedule = {"epochs": epochs, "window_first": epochs - 2, "checkpoint_every": epochs, "samples_every": epochs}
    ways: dict[str, dict[str, Any]] = {
        "random": {"sampler": {"name": "random"}, "scheduler": {"name": "none"}, "pruning": False},
        "ours": {"sampler": {"startup": 5}, "scheduler": {"name": "asha", "grace_epochs": 2, "reduction_factor": 4}},
    }
    fids = {"random": {"every": epochs}, "ours": {"every": 2, "n_fake_first": min(64, fakes)}}
    for way, keys in ways.items():
        base = {
            **BASE,
            "schedule": schedule,
            "fid": {"extractor": EXTRACTOR, "n_fake": fakes, "min_diversity": min_diversity, **fids[way]},
        }
        space = {"base": base, "search": SEARCH, "confirm": {"top": 0}, **keys}
        (folder / f"{way}.yaml").write_text(yaml.safe_dump(space, sort_keys=False))


def run(folder: Path, way: str, seed: int, **options: Any) -> ResultsStore:
    """A sweep, as the command line runs it, unless it is there from an earlier call."""
    name = f"{way}-{seed}"
    store = ResultsStore(folder / "sweeps" / name)
    if store.directory.exists() and store.standing().status in ("running", "interrupted", "failed"):
        shutil.rmtree(store.directory)
    if not store.directory.exists():
        given = {"space": str(folder / f"{way}.yaml"), "data": folder / "digits", "sweeps_dir": folder / "sweeps"}
        asked = LaunchOptions(**{**given, "name": name, "seed": seed, "concurrency": 1, **options})
        screen = io.StringIO()
        if launch(asked, console=Console(file=screen)) != 0:
            raise RuntimeError(f"{asked}\n{screen.getvalue()[-2000:]}")
    return store


def effort(store: ResultsStore, target: float | None = None) -> tuple[Effort, bool]:
    """What all trials have spent, and whether an objective is at most `target`: then what they had spent by then."""
    histories = [store.read_history(trial.trial_id) for trial in store.read_trials()]
    reports = [report for history in histories for report in history]
    hits = [r.ended for r in reports if target is not None and r.objective is not None and r.objective <= target]
    end = min(hits, default=float("inf"))
    spent = [report for report in reports if report.ended <= end]
    images = sum(last.images_seen for history in histories for last in [r for r in history if r.ended <= end][-1:])
    seconds = sum(report.ended - report.started for report in spent)
    clock = max(report.ended for report in spent) - min(report.started for report in spent) if spent else 0.0
    return Effort(seconds, clock, images), bool(hits)


def compare(folder: Path, seed: int, trials: int, most: int, start: float) -> Row:
    """Both searches of one seed; ours has `most` times as many trials, if it needs them, and `start` s to begin."""
    random = run(folder, "random", seed, trials=trials)
    best = random.summary()["best"]["objective"]
    whole, _ = effort(random)
    budget = f"{whole.seconds + start:.0f}s"
    ours = run(folder, "ours", OURS_SEED + seed, trials=most * trials, target_fid=repr(best), time_budget=budget)
    spent, reached = effort(ours, best)
    found = ours.summary()["best"]
    return Row(
        seed=seed,
        best=best,
        whole=whole,
        until_best=effort(random, best)[0],
        ours=spent,
        reached=reached,
        ours_best=found["objective"] if found else None,
        ours_trials=len(ours.read_trials()),
    )


def objectives(folder: Path, seed: int) -> list[float]:
    """Those of a random search."""
    trials = ResultsStore(folder / "sweeps" / f"random-{seed}").read_trials()
    return [trial.objective for trial in trials if trial.objective is not None]


def repeat_best(folder: Path, seed: int, repeats: int) -> list[float]:
    """Objectives of the best setting of a random search, trained again with other seeds."""
    known = folder / f"again-{seed}.json"
    values: list[float] = json.loads(known.read_text()) if known.exists() else []
    store = ResultsStore(folder / "sweeps" / f"random-{seed}")
    config = yaml.safe_load((store.trials_dir / store.summary()["best"]["trial_id"] / "config.yaml").read_text())
    assets = Assets(folder / "digits", folder / "cache", torch.device("cpu"))
    for again in range(len(values), repeats):
        with tempfile.TemporaryDirectory() as scratch:
            other = TrainConfig.build(config, {"seed": OURS_SEED * 2 + again})
            outcome = train(other, assets, Path(scratch), go_on)
        values.append(outcome.objective if outcome.objective is not None else float("nan"))
        known.write_text(json.dumps(values))
    return values


def go_on(report: EpochReport) -> Decision:
    """Never stop."""
    return Decision.CONTINUE


def print_rows(rows: list[Row]) -> None:
    """A line for each seed, then all together."""
    print(
        "seed | random: best     s  images  s until best | ours: trials  best     s  images | ours / random: s  images"
    )
    for row in rows:
        whole, ours = row.whole, row.ours
        print(
            f"{row.seed:>4} | {row.best:12.0f} {whole.seconds:5.0f} {whole.images:7} {row.until_best.seconds:13.0f} |"
            f" {row.ours_trials:12} {row.ours_best or float('nan'):5.0f} {ours.seconds:5.0f} {ours.images:7} |"
            f" {row.ratio('seconds'):>16} {row.ratio('images'):>7}"
        )
    reached = sum(row.reached for row in rows)
    print(f"ours was as good as the best random trial in {reached} of {len(rows)} seeds")
    more = "" if reached == len(rows) else "more than "
    for what in ("seconds", "clock", "images"):
        whole, own, ours = (sum(getattr(getattr(row, part), what) for row in rows) for part in PARTS)
        print(f"{what} until then: {more}{ours / whole:.2f} of all random trials' (aim: below 0.25),")
        print(f"  {more}{ours / own:.2f} of what random had spent at its best, which is {own / whole:.2f} of its all")


def print_luck(rows: list[Row], spread: dict[int, list[float]], again: dict[int, list[float]]) -> None:
    """How far FID goes apart between settings, and between runs of one setting."""
    for row in rows:
        values = spread[row.seed]
        deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(
            f"seed {row.seed}: {len(values)} random settings, FID {min(values):.0f} to {max(values):.0f}, standard"
            f" deviation {deviation:.0f}; the best one with other seeds:"
            f" {', '.join(f'{value:.0f}' for value in again[row.seed])}"
        )


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20, help="of the random search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12, help="of every trial; even, at least 6")
    parser.add_argument("--repeats", type=int, default=2, help="of each best setting, with other seeds")
    parser.add_argument("--folder", type=Path, help="where to keep everything, and to go on")
    parser.add_argument("--digits", type=int, default=DIGITS, help="so many of them")
    parser.add_argument("--fakes", type=int, default=256, help="of a FID in the window")
    parser.add_argument("--min-diversity", type=float, default=0.25, help="fid.min_diversity of both sides")
    parser.add_argument("--most", type=int, default=20, help="trials of ours for each random one, at most")
    parser.add_argument("--start", type=float, default=30, help="seconds of ours' time that go to starting the gang")
    return parser


def main() -> None:
    """Run both searches for every seed and print what they cost."""
    asked = parser().parse_args()
    if asked.epochs < 6 or asked.epochs % 2:
        parser().error("--epochs must be even and at least 6")
    with tempfile.TemporaryDirectory() as scratch:
        size = f"{asked.trials}x{asked.epochs}x{asked.digits}x{asked.fakes}"
        folder = (asked.folder or Path(scratch)).resolve() / size
        os.environ["GAN_SWEEP_CACHE"] = str(folder / "cache")
        write_digits(folder / "digits", asked.digits)
        write_spaces(folder, asked.epochs, asked.fakes, asked.min_diversity)
        with connected(None):
            rows = [compare(folder, seed, asked.trials, asked.most, asked.start) for seed in range(asked.seeds)]
        spread = {row.seed: objectives(folder, row.seed) for row in rows}
        again = {row.seed: repeat_best(folder, row.seed, asked.repeats) for row in rows}
    print_setting("torch", "ray", "optuna", "scikit-learn")
    print(f"{asked.trials} random trials of {asked.epochs} epochs, FID on {asked.fakes} fakes, one trial at a time")
    print_rows(rows)
    print_luck(rows, spread, again)
    print(json.dumps({"rows": [asdict(row) for row in rows], "random": spread, "again": again}))


if __name__ == "__main__":
    main()
