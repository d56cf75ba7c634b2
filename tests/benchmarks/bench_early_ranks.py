"""What an early FID says of a trial's end, with FIDs of fakes that hardly vary counted in different ways.

Usage: python -m tests.benchmarks.bench_early_ranks [--histories DIR] [--draws 1000]

The trials are those of `bench_rules`, recorded to their end on digits and cars at 32 px, and those of a folder, files
NNNN.json as `bench_rungs` reads them, with diversities. Per epoch and way: Spearman's correlation with the ranks at the
end, and the share of draws of 16 trials whose best one at the end is among the better half then. At the end a trial
whose fakes hardly vary is worse than any other.
"""

import argparse
import gzip
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from orchestrator.search.result import compared
from tests.benchmarks.bench_rules import RECORDED
from tests.benchmarks.common import print_setting
from trainers.run_report import Measurement, hardly_vary

EPOCHS = (1, 2, 4, 8)
OF = 16


def worse_than_any(one: Measurement) -> float:
    """As `orchestrator.search.result.compared` was before."""
    return 1e6 * (2 - (one.diversity or 0.0)) if one.collapsed else one.fid


WAYS: dict[str, Callable[[Measurement], float]] = {
    "as it is": lambda one: one.fid,
    "worse than any": worse_than_any,
    "in proportion": lambda one: one.fid * (0.25 / max(one.diversity or 0.0, 1e-4) if one.collapsed else 1),
    "by the root": compared,
}


def measured(row: dict[str, Any]) -> Measurement:
    """One epoch of a history."""
    diversity = row.get("diversity")
    return Measurement(epoch=row["epoch"], fid=row["fid"], diversity=diversity, collapsed=hardly_vary(diversity))


def in_folder(folder: Path) -> list[dict[str, Any]]:
    """The histories of a folder."""
    return [json.loads(file.read_text()) for file in sorted(folder.glob("[0-9]*.json"))]


def whole(runs: list[dict[str, Any]]) -> list[list[Measurement]]:
    """The trials that were measured at every epoch until the last."""
    found = [[row for row in run["epochs"] if math.isfinite(row.get("fid") or math.nan)] for run in runs]
    longest = max(len(rows) for rows in found)
    return [[measured(row) for row in rows] for rows in found if len(rows) == longest]


def say(name: str, trials: list[list[Measurement]], draws: int) -> None:
    """A line for each epoch and way."""
    end = [worse_than_any(trial[-1]) for trial in trials]
    of = min(OF, len(trials))
    drawn = [random.Random(seed).sample(range(len(trials)), of) for seed in range(draws)]
    for epoch in EPOCHS:
        if epoch >= len(trials[0]):
            return
        then = [trial[epoch - 1] for trial in trials]
        few = sum(one.collapsed for one in then)
        for way, value in WAYS.items():
            values = [value(one) for one in then]
            kept = [
                min(draw, key=lambda one: end[one]) in sorted(draw, key=values.__getitem__)[: of // 2] for draw in drawn
            ]
            print(
                f"{name}, epoch {epoch} of {len(trials[0])}, {few} of {len(trials)} hardly vary: {way:<14} "
                f"rank correlation {spearmanr(values, end)[0]:5.2f}, keeps the best in {sum(kept) / len(kept):4.0%}"
            )


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    return parser


def main() -> None:
    """Print all lines."""
    asked = parser().parse_args()
    print_setting("scipy")
    packed = json.loads(gzip.decompress(RECORDED.read_bytes()))
    for name, group in packed.items():
        say(name, whole(group["runs"]), asked.draws)
    if asked.histories:
        say(asked.histories.name, whole(in_folder(asked.histories)), asked.draws)


if __name__ == "__main__":
    main()
