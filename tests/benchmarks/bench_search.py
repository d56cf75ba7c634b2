"""Compute until a search finds the best FID of unpruned random trials: gan-sweep, and what people use by hand.

Usage: python tests/benchmarks/bench_search.py [--data digits|cars|DIR] [--images 1797] [--trials 16 32] [--seeds 5]
       [--epochs 12] [--fakes 256] [--gangs 1] [--ways ours ...] [--folder DIR] [--picture FILE]

The images are scikit-learn's 1,797 digits at 32 px, or the first of a folder's; ``cars`` is the folder that the
environment variable GAN_SWEEP_CARS names. For each seed, one after the other:

random   as many trials as the last of --trials says, none of them cut; FID only at both ends of the window. The best
         of all, and of the first ones, are the targets.
ours     `gan-sweep launch` with its defaults, but for a grace of 1/12 of the epochs, 5 trials before the model
         proposes, and few fakes before the window, until the lowest target is found.
optuna + median, optuna + hyperband, ray asha + optuna
         `search_rivals.py`, until then, or until they had as much compute as all random trials.
random, other draws
         the random searches of the other seeds, one after the other: what the target costs without luck and without a
         search. The random search that set it had the luck to find it, so its own line is no rival's.

All start from the same mediocre setting and have the same trainings. All but the random search have another seed: with
the same one TPE would draw its first settings as the random sampler does, and repeat its luck. Compute is the images
trained and the fakes measured, each at what it took in the random trials (`search_curves.Rates`): what else the machine
does, does not count.
With --folder a second call goes on where the first was ended. --gangs 4: ours trains four trials at once.
"""

import argparse
import io
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from PIL import Image
from rich.console import Console

if not __package__:  # run by its path, from the project's folder
    sys.path.insert(0, str(Path(__file__).parents[2]))

from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.results.store import ResultsStore
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from orchestrator.sweep.ray_session import connected
from tests.benchmarks import search_rivals
from tests.benchmarks.common import print_setting
from tests.benchmarks.search_curves import Curve, Rates, Step, curve_of, draw, reached

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
FEW = 32  # fakes of the first FIDs
STARTUP = 5  # trials before the model proposes
OURS = "ours"
RANDOM = "random"
OTHERS = "random, other draws"
RIVALS: dict[str, Callable[..., list[Step]]] = {
    "optuna + median": search_rivals.optuna_median,
    "optuna + hyperband": search_rivals.optuna_hyperband,
    "ray asha + optuna": search_rivals.ray_asha,
}
OTHER_SEED = 1000  # added to the seed of the random search
NEAR = 1.02  # times the best FID
MOST = 20  # trials of ours for each random one


def write_digits(folder: Path, count: int) -> None:
    """The first `count` of the 8 x 8 grey digits as 32 px RGB images."""
    from sklearn.datasets import load_digits

    folder.mkdir(parents=True, exist_ok=True)
    for number, digit in enumerate(load_digits().images[:count]):
        picture = Image.fromarray((digit / 16 * 255).round().astype(np.uint8))
        picture.resize((32, 32), Image.Resampling.BICUBIC).convert("RGB").save(folder / f"{number:04d}.png")


def definition(way: str, epochs: int, fakes: int, min_diversity: float) -> dict[str, Any]:
    """The same search, done in two ways. Objectives come from the same two epochs."""
    schedule = {"epochs": epochs, "window_first": epochs - 2, "checkpoint_every": epochs, "samples_every": epochs}
    fid = {"extractor": EXTRACTOR, "n_fake": fakes, "min_diversity": min_diversity, "every": epochs}
    space: dict[str, Any] = {
        "base": {**BASE, "schedule": schedule, "fid": fid},
        "search": SEARCH,
        "confirm": {"top": 0},
    }
    if way == RANDOM:
        return {**space, "scheduler": {"name": "none"}, "pruning": False}
    fid["n_fake_first"] = min(FEW, fakes)
    if way != OURS:  # by hand FID is measured every so many epochs
        fid["every"] = 2
    grace = max(1, epochs // 12)
    return {
        **space,
        "scheduler": {"grace_epochs": grace},
        "sampler": {"startup": STARTUP},
    }


class Bench:
    """The searches of one folder, each of which is made once.

    Args:
        asked: the command line.
        folder: for everything; an earlier call's is gone on with.
    """

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self._asked, self._folder = asked, folder
        self._data, self._cache = folder / "images", folder / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        if self._data.exists():
            return
        part = folder / "part"
        shutil.rmtree(part, ignore_errors=True)
        if asked.data == "digits":
            write_digits(part, asked.images)
        else:
            part.mkdir()
            for file in sorted(Path(asked.data).iterdir())[: asked.images]:
                shutil.copy(file, part / file.name)
        part.rename(self._data)

    def random(self, seed: int) -> list[Step]:
        """The random search of a seed."""
        space, trials = self._space(RANDOM), max(self._asked.trials)
        make = search_rivals.random_search
        return self._kept(RANDOM, seed, lambda: make(space, self._data, self._cache, seed, trials))

    def search(self, way: str, seed: int, target: float, most: float, rates: Rates) -> list[Step]:
        """Another search of a seed, until it is at the target or has spent `most`."""
        if way == OURS:
            return self._ours(seed, target, most)

        def enough(steps: list[Step]) -> bool:
            found = any(step.objective is not None and step.objective <= target for step in steps)
            return found or rates.compute(steps) >= most

        space = self._space(way)
        return self._kept(way, seed, lambda: RIVALS[way](space, self._data, self._cache, OTHER_SEED + seed, enough))

    def _space(self, way: str) -> Space:
        asked = self._asked
        return build_space("bench", definition(way, asked.epochs, asked.fakes, asked.min_diversity))

    def _kept(self, way: str, seed: int, make: Callable[[], list[Step]]) -> list[Step]:
        file = self._folder / f"{way.replace(' ', '')}-{seed}.json"
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_text(json.dumps([asdict(step) for step in make()]))
            part.rename(file)
        return [Step(**step) for step in json.loads(file.read_text())]

    def _ours(self, seed: int, target: float, most: float) -> list[Step]:
        """A sweep, as the command line runs it, unless it is there from an earlier call."""
        asked, name = self._asked, f"ours-{self._asked.gangs}-{seed}"
        store = ResultsStore(self._folder / "sweeps" / name)
        if store.directory.exists() and store.standing().status in ("running", "interrupted", "failed"):
            shutil.rmtree(store.directory)
        if not store.directory.exists():
            space = self._folder / "ours.yaml"
            space.write_text(yaml.safe_dump(definition(OURS, asked.epochs, asked.fakes, asked.min_diversity)))
            options = LaunchOptions(
                space=str(space),
                data=self._data,
                sweeps_dir=self._folder / "sweeps",
                name=name,
                seed=OTHER_SEED + seed,
                concurrency=asked.gangs,
                trials=MOST * max(asked.trials),
                target_fid=repr(target),
                time_budget=f"{asked.patience * most + 60:.0f}s",
            )
            screen = io.StringIO()
            if launch(options, console=Console(file=screen)) != 0:
                raise RuntimeError(f"{options}\n{screen.getvalue()[-2000:]}")
        return steps_of(store)


def in_others(searches: list[list[Step]], seed: int) -> list[Step]:
    """The steps of the searches after that of a seed, one after the other, and of those before it."""
    return [step for other in (*searches[seed + 1 :], *searches[:seed]) for step in other]


def steps_of(store: ResultsStore) -> list[Step]:
    """All epochs of a sweep, in the order in which they ended."""
    found: list[tuple[float, Step]] = []
    for trial in store.read_trials():
        for report in store.read_history(trial.trial_id):
            found.append((report.ended, search_rivals.step_of(int(trial.trial_id), report)))
    return [step for _, step in sorted(found, key=lambda one: one[0])]


def say(targets: dict[int, list[float]], curves: dict[str, list[Curve]], wholes: dict[int, list[float]]) -> None:
    """Blocks of a line for each way: compute until the best FID of so many random trials, as a share of theirs.

    The best of many FIDs is low by luck too, so that it takes luck to reach it: a second block says when a search was
    near it.
    """
    for trials, of_seeds in targets.items():
        best = f"the best FID of {trials} random trials"
        for what, times in ((f"{best} ({', '.join(f'{one:.0f}' for one in of_seeds)})", 1.0), (f"2% of {best}", NEAR)):
            print(f"until {'within ' if times > 1 else ''}{what}:")
            for way, of_way in curves.items():
                within = [one * times for one in of_seeds]
                print(_line(way, [reached(*one) for one in zip(of_way, within, strict=True)], wholes[trials]))


def _line(way: str, spent: list[float], wholes: list[float]) -> str:
    shares = [one / whole for one, whole in zip(spent, wholes, strict=True)]
    got = [share for share in shares if math.isfinite(share)]
    middle = statistics.median(shares)
    each = " ".join(f"{share:.2f}" if math.isfinite(share) else "-" for share in shares)
    mean = f"{statistics.mean(shares):.2f}" if len(got) == len(shares) else "more"
    median = f"{middle:.2f}" if math.isfinite(middle) else "more"
    return f"  {way:<20} median {median}, mean {mean}, in {len(got)} of {len(shares)} seeds: {each}"


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, cars, or a folder of images")
    parser.add_argument("--images", type=int, default=DIGITS, help="so many of them")
    parser.add_argument("--trials", type=int, nargs="+", default=[16, 32], help="of the random search; rising")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=12, help="of every trial; even, at least 6")
    parser.add_argument("--fakes", type=int, default=256, help="of a FID in the window")
    parser.add_argument("--min-diversity", type=float, default=0.25, help="fid.min_diversity of all")
    parser.add_argument("--gangs", type=int, default=1, help="trials of ours at once")
    parser.add_argument(
        "--patience", type=float, default=3, help="ours ends after this many times the compute in seconds"
    )
    parser.add_argument("--ways", nargs="+", choices=[OURS, *RIVALS], default=[OURS, *RIVALS])
    parser.add_argument("--folder", type=Path, help="where to keep everything, and to go on")
    parser.add_argument("--picture", type=Path, help="PNG: lowest FID against compute")
    return parser


def main() -> None:
    """Run all searches for every seed and print what they cost."""
    asked = parser().parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if asked.data == "cars":
        asked.data = os.environ.get("GAN_SWEEP_CARS") or parser().error("--data cars: GAN_SWEEP_CARS names no folder")
    if asked.epochs < 6 or asked.epochs % 2:
        parser().error("--epochs must be even and at least 6")
    targets: dict[int, list[float]] = {trials: [] for trials in asked.trials}
    wholes: dict[int, list[float]] = {trials: [] for trials in asked.trials}
    curves: dict[str, list[Curve]] = {way: [] for way in (*asked.ways, RANDOM)}
    searches: list[list[Step]] = []
    with tempfile.TemporaryDirectory() as scratch:
        kind = Path(asked.data).name
        folder = (asked.folder or Path(scratch)).resolve() / f"{kind}-{asked.images}x{asked.epochs}x{asked.fakes}"
        os.environ["GAN_SWEEP_CACHE"] = str(folder / "cache")
        bench = Bench(asked, folder)
        with connected(None):
            for seed in range(asked.seeds):
                steps = bench.random(seed)
                rates = Rates.of(steps)
                searches.append(steps)
                for count in asked.trials:
                    first = [step for step in steps if step.trial < count]
                    wholes[count].append(rates.compute(first))
                    targets[count].append(min(step.objective for step in first if step.objective is not None))
                most = max(asked.trials)
                for way in asked.ways:
                    found = bench.search(way, seed, targets[most][-1], wholes[most][-1], rates)
                    curves[way].append(curve_of(found, rates))
                curves[RANDOM].append(curve_of(steps, rates))
    if asked.seeds > 1:
        curves[OTHERS] = [curve_of(in_others(searches, seed), Rates.of(own)) for seed, own in enumerate(searches)]
    print_setting("torch", "ray", "optuna", "scikit-learn")
    print(f"{asked.images} images of {kind}, {asked.epochs} epochs, {asked.fakes} fakes, ours {asked.gangs} at a time")
    say(targets, curves, wholes)
    if asked.picture:
        draw(curves, wholes[most], f"{kind}: {asked.seeds} seeds, median and quartiles", asked.picture)
    print(json.dumps({"targets": targets, "whole": wholes, "curves": curves}))


if __name__ == "__main__":
    main()
