"""What the driver ends with, where no sweep has to run for it."""

import errno
from dataclasses import replace
from pathlib import Path

from orchestrator.sweep.delivery import Delivery
from orchestrator.sweep.disk_watch import DiskWatch
from orchestrator.sweep.driver import _troubles_of
from tests.orchestrator.sweep_helpers import PLAN, begun, recorder_of


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
