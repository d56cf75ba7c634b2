"""The best of a sweep and of those that it was warm-started from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from orchestrator.display.winner_text import earlier_rows
from orchestrator.results.lineage import best_of_lineage, lineage
from orchestrator.results.saved_plan import read_plan
from orchestrator.results.store import ResultsStore
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, keep
from trainers.run_report import RunEnd


def write(folder: Path, name: str, objective: float | None, *after: ResultsStore) -> ResultsStore:
    earlier = tuple(str(one.directory) for one in after)
    store = begun(folder / name, replace(PLAN, sweep=name, warm_start=earlier))
    keep(store, ended("0000", RunEnd.COMPLETED, objective))
    return store


def test_the_best_may_be_in_an_earlier_sweep(tmp_path: Path) -> None:
    first = write(tmp_path, "first", 70.0)
    second = write(tmp_path, "second", 90.0, first)
    third = write(tmp_path, "third", 80.0, second)
    found = best_of_lineage(third)
    assert found is not None and found[0].directory == first.directory and found[1].objective == 70.0
    assert [store.directory.name for store in lineage(third)] == ["third", "second", "first"]
    shutil.rmtree(second.directory)  # the chain ends there
    found = best_of_lineage(third)
    assert found is not None and found[0].directory == third.directory


def test_a_sweep_may_build_on_several(tmp_path: Path) -> None:
    """Each is named once, also one that two of them build on."""
    first = write(tmp_path, "first", 60.0)
    second, third = write(tmp_path, "second", 90.0, first), write(tmp_path, "third", 80.0, first)
    last = write(tmp_path, "last", 70.0, second, third)
    assert [store.directory.name for store in lineage(last)] == ["last", "second", "third", "first"]
    assert earlier_rows(last)["best of 4"].startswith("first/0000: 60.00 ")
    shutil.rmtree(second.directory)
    assert [store.directory.name for store in lineage(last)] == ["last", "third", "first"]


def test_a_plan_of_an_older_version_names_one(tmp_path: Path) -> None:
    file = write(tmp_path, "second", 90.0, write(tmp_path, "first", 60.0)).directory / "plan.json"
    values = json.loads(file.read_text())
    for kept, read in (("/sweeps/first", ("/sweeps/first",)), (None, ()), (["/a", "/b"], ("/a", "/b"))):
        file.write_text(json.dumps({**values, "warm_start": kept}))
        assert read_plan(file).warm_start == read


def test_without_objectives_there_is_none(tmp_path: Path) -> None:
    assert best_of_lineage(write(tmp_path, "only", None)) is None
