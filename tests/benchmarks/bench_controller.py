"""What the controller costs per trial: searcher, scheduler and rules, on SIMULATED gangs that replay learning curves.

    python -m tests.benchmarks.bench_controller [--trials 10000]

One core is used. Prints milliseconds of deciding per trial, by sampler and storage, and how they grow.
"""

import argparse
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import optuna

from orchestrator.pruning import build_rules
from orchestrator.search.samplers import build_sampler
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study
from tests.benchmarks.common import print_setting
from tests.orchestrator.search.simulated import METRIC, Field
from tests.orchestrator.search.test_scale import WINDOW, curve, space_with

# Sampler, trials, gangs. A Gaussian process is slow, and learns from completed trials alone: few, and none is cut.
CASES = (
    ("random", 10_000, 256),
    ("qmc", 2000, 256),
    ("tpe", 1000, 256),
    ("nsga2", 1000, 256),
    ("cmaes", 500, 16),
    ("gp", 60, 4),
)


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000, help="at most, of any sampler")
    parser.add_argument("--sampler", help="only this one")
    return parser


def main() -> None:
    """Run the cases and print."""
    options = parser().parse_args()
    print_setting("ray", "optuna")
    for sampler, most, gangs in CASES:
        if options.sampler not in (None, sampler):
            continue
        trials = min(most, options.trials)
        for storage in ("memory", "journal") if trials <= 1000 or sampler == "random" else ("memory",):
            count = trials if storage == "memory" else min(trials, 1000)
            cost = measure(sampler, storage, count, gangs)
            what = f"{sampler:<8} {storage:<8} {count:>6} trials on {gangs:>3} gangs"
            print(f"{what}  {1000 * cost:8.2f} ms of deciding per trial", flush=True)


def measure(sampler: str, storage: str, trials: int, gangs: int) -> float:
    """Seconds per trial."""
    space = space_with("none" if sampler == "gp" else "asha", sampler)
    queue: deque[tuple[str, dict[str, Any]]] = deque()
    with tempfile.TemporaryDirectory() as folder:
        if storage == "journal":
            study = open_study(str(Path(folder) / "study.journal"), "bench", space)
        else:
            study = optuna.create_study(sampler=build_sampler(space.sampler, 0))
        searcher = OptunaSearcher(study, space, METRIC, queue.append)
        field = Field(
            searcher,
            build_scheduler(space),
            build_rules(space.pruning),
            queue,
            gangs=gangs,
            curve=curve,
            window_first=WINDOW,
        )
        field.run(trials)
    assert len(field.lives) == trials
    return field.deciding / trials


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    main()
