"""A sweep made without training, with sample grids that are real PNGs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from orchestrator.results.events import GangUp
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from tests.orchestrator.sweep_helpers import PLAN, begun, close, epoch, keep, keep_epochs

SIZE, TILE, COLUMNS = 32, 64, 4  # of the images, of a tile and of the grids here
EPOCHS = (1, 2, 4, 6, 8)  # that have a grid
SEARCH = {
    "optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True},
    "noise.latent_sigma": {"float": [0.5, 1.5]},
    "data.fit": {"choice": ["pad", "stretch"]},
}
BASE = {"data": {"image_size": SIZE}, "schedule": {"epochs": 8, "window_first": 4}, "fid": {"every": 2}}
SHOWN = replace(PLAN, fingerprint="a" * 64, definition={"base": BASE, "search": SEARCH, "confirm": {"top": 2}})


def grid(path: Path, colour: tuple[int, int, int]) -> None:
    """A grid of tiles of one colour, as `save_grid` lays it out."""
    side = COLUMNS * (TILE + 2) + 2
    pixels = np.zeros((side, side, 3), np.uint8)
    for row in range(COLUMNS):
        for column in range(COLUMNS):
            y, x = 2 + row * (TILE + 2), 2 + column * (TILE + 2)
            pixels[y : y + TILE, x : x + TILE] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def sweep(
    directory: Path,
    trials: int,
    *,
    grids: bool = True,
    seed: int = 0,
    detail: str = "D loss below 0.01 for 9 of 10 epochs",
    **plan: Any,
) -> ResultsStore:
    """A finished sweep: two of three trials are cut after epoch 4, one in five fails, the best two are measured again.

    Args:
        directory: of the sweep.
        trials: how many.
        grids: whether there are sample grids, each of one colour that no other of its trial has.
        seed: of the settings and the FIDs.
        detail: of the failures.
        plan: what differs from `SHOWN`.
    """
    store, draw, at = begun(directory, replace(SHOWN, trials=trials, **plan)), np.random.default_rng(seed), 10.0
    records = []
    store.append(GangUp(at=at, session=1, gang=0))
    for number in range(trials):
        params = {
            "optimizer.lr_g": float(10 ** draw.uniform(-4, -2)),
            "noise.latent_sigma": float(draw.uniform(0.5, 1.5)),
            "data.fit": ("pad", "stretch")[number % 2],
        }
        verdict = "d_collapse" if number % 5 == 4 else "outranked" if number % 3 else "completed"
        epochs = 8 if verdict == "completed" else 4
        trial = TrialRecord(f"{number:04d}", params, 8, started=at, n_fake=2)
        fids = {one: float(40 + 300 / one * params["noise.latent_sigma"] + draw.normal()) for one in (2, 4, 6, 8)}
        lowest: float | None = None
        reports = []
        for one in range(1, epochs + 1):
            fid = fids.get(one) if verdict != "d_collapse" or one < 4 else None
            if fid is not None and one >= 4:
                lowest = fid if lowest is None else min(lowest, fid)
            report = epoch(one, fid=fid, objective=lowest, seconds=0.2)
            report = replace(report, started=at, trained=at + 0.7, ended=at + 1.0)
            trial.progress(report)
            reports.append(report)
            at += 1.0
        best = trial.best_epoch
        trial.end(
            TrialOutcome(verdict=verdict, epochs=epochs, objective=lowest, best_epoch=best, detail=detail), epochs
        )
        records.append(trial)
        keep_epochs(store, trial.trial_id, *reports)
        for place, one in enumerate(EPOCHS if grids else ()):
            if one <= epochs:
                shade = 40 + number * 37 % 160, 50 * place, 255 - 45 * place
                grid(store.trials_dir / trial.trial_id / "samples" / f"epoch_{one:04d}.png", shade)
    ranked = sorted((t for t in records if t.objective is not None), key=lambda trial: trial.objective or 0.0)
    for trial in ranked[:2]:
        assert trial.objective is not None
        trial.confirmed = [trial.objective + 0.5, trial.objective + 1.5]
    keep(store, *records)
    close(store, SweepStatus.FINISHED, ended=at + 5)
    return store
