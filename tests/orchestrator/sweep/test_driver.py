"""What the driver ends with, where no sweep has to run for it."""

import errno
import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.display.summary import print_results, print_winner
from orchestrator.plan.saved import from_saved
from orchestrator.results.events import Closed
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.delivery import Delivery
from orchestrator.sweep.disk_watch import DiskWatch
from orchestrator.sweep.driver import _troubles_of, before_the_first
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, keep, recorder_of


def test_a_full_disk_that_ends_the_recorder_before_the_watch_looks_again(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    watch, recorder = DiskWatch(store.directory, 0, lambda: ""), recorder_of(store)
    assert not watch.look() and _troubles_of([recorder], watch) == []

    def write() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/x/answer.json")

    recorder.chores = [write]
    recorder.start()
    recorder.join()
    (trouble,) = _troubles_of([recorder], watch)
    assert trouble.startswith("recorder: [Errno 28] No space left on device")
    assert watch.line.startswith("no space left in /x/answer.json: ")


def test_mlflow_that_cannot_be_begun_is_a_sentence(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    broken = replace(PLAN, definition={"base": {}})
    delivery = Delivery(store.directory, broken, f"sqlite:///{tmp_path}/m.db", store.read_state)
    said = delivery.end(1.0)
    assert said.startswith("MLflow could not be begun (") and "needs a mapping" in said
    assert said.endswith(f"): `gan-sweep sync {store.directory}` writes to it") and not list(tmp_path.glob("m.db*"))


def test_a_budget_that_ends_before_the_first_trial_says_so(tmp_path: Path) -> None:
    resources = {"gangs": 1, "workers": 1, "cpus": 1.0, "gpus": 0.0, "threads": 1}
    store = begun(tmp_path / "s", replace(PLAN, resources=resources))
    assert before_the_first(SweepStatus.INTERRUPTED, store) == ""
    why = before_the_first(SweepStatus.OUT_OF_TIME, store)
    assert why.startswith("the time budget was used up before a trial could start: ")
    store.append(Closed(at=9.0, session=1, status=SweepStatus.OUT_OF_TIME, ended=9.0, detail=why))
    screens = io.StringIO(), io.StringIO()
    saved = store.read_plan()
    print_winner(Console(file=screens[0], width=200), from_saved(saved, store.directory, saved.definition), store)
    print_results(Console(file=screens[1], width=200), store)
    for screen in screens:
        assert f"\n{why}\n" in screen.getvalue()
    other = begun(tmp_path / "other")
    keep(other, ended("0000", "out_of_time", None))
    assert before_the_first(SweepStatus.OUT_OF_TIME, other) == ""
