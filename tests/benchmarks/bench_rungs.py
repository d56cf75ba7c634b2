"""What schedulers would have cost and found on trials that were trained to their end: epochs are the compute.

Usage: python -m tests.benchmarks.bench_rungs [--recorded digits|cars] [--histories DIR] [--trials 16 32] [--orders 300]

The trials are those that `bench_rules` has recorded on digits or cars, or a folder's: files NNNN.json,
``{"epochs": [{"fid": 163.5, "diversity": 0.6}, ...]}``; of both, those with a FID at every epoch. Without either 36 are
made up: curves that fall to different depths at different speeds, so that the best at first is seldom the best at last.

One gang, no model: the trials come in random orders. SIMULATED is the training; the schedulers are the real ones.
"""

import argparse
import gzip
import json
import math
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.results.verdict import TrialOutcome
from orchestrator.search.result import TrialResult
from orchestrator.search.schedulers import make_scheduler
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.space.sections import SchedulerConfig
from tests.benchmarks.bench_early_ranks import in_folder, whole
from tests.benchmarks.bench_rules import RECORDED
from tests.benchmarks.common import print_setting
from trainers.run_report import Measurement

METRIC = "fid"
CASES = [
    ("none", {}),
    ("asha_stopping", {"grace_epochs": 4, "reduction_factor": 3}),
    ("asha_stopping", {"grace_epochs": 1, "reduction_factor": 3}),
    ("asha_stopping", {"grace_epochs": 2, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 4, "rung_factor": 2, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 2, "rung_factor": 2, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 2, "rung_factor": 2, "reduction_factor": 3}),
    ("asha", {"grace_epochs": 2, "rung_factor": 4, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 2, "rung_factor": 4, "reduction_factor": 3}),
    ("asha", {"grace_epochs": 1, "rung_factor": 2, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 1, "rung_factor": 3, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 1, "rung_factor": 3, "reduction_factor": 3}),
    ("asha", {"grace_epochs": 1, "rung_factor": 3, "reduction_factor": 4}),
    ("asha", {"grace_epochs": 1, "rung_factor": 4, "reduction_factor": 2}),
    ("asha", {"grace_epochs": 1, "rung_factor": 4, "reduction_factor": 3}),
]


class Sweep:
    """One sweep over recorded trials, as Tune and the searcher would run it with one gang.

    Args:
        curves: measurements of every epoch of every trial.
        scheduler: new.

    Attributes:
        cost: epochs that were trained.
        best: lowest FID of them.
        whole: trials that were trained to their end.
    """

    def __init__(self, curves: Sequence[Sequence[Measurement]], scheduler: TrialScheduler) -> None:
        self._curves, self._scheduler = curves, scheduler
        self._nobody: Any = None
        self._trials: dict[int, Trial] = {}
        self._epochs: dict[int, int] = {}
        self.cost, self.best, self.whole = 0, math.inf, 0

    def run(self, order: Sequence[int]) -> None:
        """Start the trials in this order."""
        new = list(order)
        while (number := self._next(new)) is not None:
            self._train(number)

    def _next(self, new: list[int]) -> int | None:
        scheduler = self._scheduler
        promoted = scheduler.promote() if isinstance(scheduler, Promotion) else None
        if promoted is None and new:
            number = new.pop(0)
            self._epochs[number] = 0
            self._trials[number] = Trial("x", stub=True, config={"trial_id": f"{number:04d}"})
            scheduler.on_trial_add(self._nobody, self._trials[number])
            return number
        if promoted is None and isinstance(scheduler, Promotion):
            promoted = scheduler.promote(none_new=True, none_runs=True)
        return None if promoted is None else int(promoted)

    def _train(self, number: int) -> None:
        curve, trial = self._curves[number], self._trials[number]
        while True:
            self._epochs[number] += 1
            epoch, measured = self._epochs[number], curve[self._epochs[number] - 1]
            fid = objective(measured)
            self.cost, self.best = self.cost + 1, min(self.best, fid)
            last = epoch == len(curve)
            outcome = TrialOutcome(verdict="completed", epochs=epoch, objective=fid, best_epoch=epoch) if last else None
            result = TrialResult(epoch=epoch, measurement=measured, outcome=outcome).to_tune(METRIC)
            if last:
                self.whole += 1
                self._scheduler.on_trial_complete(self._nobody, trial, result)
                return
            if self._scheduler.on_trial_result(self._nobody, trial, result) == TrialScheduler.STOP:
                self._scheduler.on_trial_complete(self._nobody, trial, result)
                if isinstance(self._scheduler, Promotion):
                    self._scheduler.wait(f"{number:04d}")
                return


def main() -> None:
    """Print a line per scheduler."""
    asked = parser().parse_args()
    print_setting("ray")
    name, curves = recorded(asked)
    print(f"{len(curves)} trials of {len(curves[0])} epochs, {name}")
    for trials in asked.trials:
        orders = [random.Random(seed).sample(range(len(curves)), trials) for seed in range(asked.orders)]
        for name, options in CASES:
            say(name, options, curves, orders, asked.finish)


def say(
    name: str,
    options: dict[str, float],
    curves: Sequence[Sequence[Measurement]],
    orders: Sequence[Sequence[int]],
    finish: int,
) -> None:
    """Run one scheduler over all orders."""
    costs, behind, whole = [], [], []
    for order in orders:
        longest = len(curves[0])
        scheduler = make_scheduler(SchedulerConfig.model_validate({"name": name, **options}), longest, finish)
        scheduler.set_search_properties(METRIC, "min")
        sweep = Sweep(curves, scheduler)
        sweep.run(order)
        costs.append(sweep.cost / (len(order) * longest))
        behind.append(sweep.best / min(min(map(objective, curves[number])) for number in order) - 1)
        whole.append(sweep.whole)
    given = " ".join(f"{key}={value:g}" for key, value in options.items())
    print(
        f"{len(orders[0]):4} trials  {name:<15} {given:<55} cost {statistics.mean(costs):.2f}  "
        f"behind the best {statistics.mean(behind):6.1%}, at most {max(behind):6.1%}  "
        f"found it {sum(one == 0 for one in behind) / len(behind):4.0%}  whole {statistics.mean(whole):.1f}",
        flush=True,
    )


def objective(one: Measurement) -> float:
    """Its FID, or infinity where the fakes hardly vary."""
    return math.inf if one.collapsed else one.fid


def recorded(asked: argparse.Namespace) -> tuple[str, list[list[Measurement]]]:
    """What the trials are, and their curves."""
    if asked.recorded:
        group = json.loads(gzip.decompress(RECORDED.read_bytes()))[asked.recorded]
        return asked.recorded, whole(group["runs"])
    if asked.histories:
        return asked.histories.name, whole(in_folder(asked.histories))
    return "made up", [
        [Measurement(epoch=epoch, fid=fid, diversity=1.0) for epoch, fid in enumerate(curve, 1)]
        for curve in made_up(36, 16)
    ]


def made_up(count: int, epochs: int) -> list[list[float]]:
    """Curves, the same ones every time."""
    draw = random.Random(0)
    kinds = [(draw.uniform(60, 140), draw.uniform(3, 12)) for _ in range(count)]
    return [[depth + 100 * math.exp(-epoch / speed) for epoch in range(1, epochs + 1)] for depth, speed in kinds]


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorded", choices=["digits", "cars"])
    parser.add_argument("--histories", type=Path)
    parser.add_argument("--trials", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument(
        "--finish", type=int, default=3, help="trials that promotion trains to their end, as confirm.top"
    )
    return parser


if __name__ == "__main__":
    main()
