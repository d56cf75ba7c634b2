"""The best of a sweep and of those that it was warm-started from."""

import shutil
from dataclasses import replace
from pathlib import Path

from orchestrator.results.lineage import best_of_lineage, lineage
from orchestrator.results.store import ResultsStore
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, keep
from trainers.run_report import RunEnd


def write(folder: Path, name: str, objective: float | None, after: ResultsStore | None) -> ResultsStore:
    store = begun(folder / name, replace(PLAN, sweep=name, warm_start=str(after.directory) if after else None))
    keep(store, ended("0000", RunEnd.COMPLETED, objective))
    return store


def test_the_best_may_be_in_an_earlier_sweep(tmp_path: Path) -> None:
    first = write(tmp_path, "first", 70.0, None)
    second = write(tmp_path, "second", 90.0, first)
    third = write(tmp_path, "third", 80.0, second)
    found = best_of_lineage(third)
    assert found is not None and found[0].directory == first.directory and found[1].objective == 70.0
    assert [store.directory.name for store in lineage(third)] == ["third", "second", "first"]
    shutil.rmtree(second.directory)  # the chain ends there
    found = best_of_lineage(third)
    assert found is not None and found[0].directory == third.directory


def test_without_objectives_there_is_none(tmp_path: Path) -> None:
    assert best_of_lineage(write(tmp_path, "only", None, None)) is None
