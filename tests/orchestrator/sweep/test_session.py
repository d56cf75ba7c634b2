"""One driver's time with a sweep: room is kept for its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.events import Opened
from orchestrator.results.places import EVENTS_FILE, ROOM_FILE
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import create_sweep
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.session import ROOM_BYTES, Session
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, epoch, keep, keep_epochs
from trainers.errors import UserError
from trainers.run_report import RunEnd


def test_room_for_the_end_is_kept_while_the_sweep_is_open(tmp_path: Path) -> None:
    store = create_sweep(tmp_path / "s", PLAN)
    session = Session(store)
    session.open(trials=3, budgets={})
    assert (store.directory / ROOM_FILE).stat().st_size == ROOM_BYTES
    session.end(SweepStatus.FAILED, "no space left")
    assert not (store.directory / ROOM_FILE).exists()
    session.close()
    assert (store.read_state().status, store.read_state().detail) == (SweepStatus.FAILED, "no space left")


def test_the_state_that_a_driver_takes_over_is_the_one_on_disk(tmp_path: Path) -> None:
    """After a driver that died with one trial open and one over."""
    store = begun(tmp_path / "s")
    keep(store, TrialRecord("0000", {}, 4, 0.0), ended("0001", RunEnd.COMPLETED, 80.0))
    keep_epochs(store, "0000", epoch(1), epoch(2, fid=70.0, objective=70.0))
    session = Session(store)
    state = session.open(trials=5, budgets={"time_s": 60.0})
    assert state == store.read_state()
    assert (state.session, state.planned, state.interrupted) == (2, 5, ["0000"])
    session.close()


def test_a_sweep_that_a_driver_on_another_host_runs_is_left_alone(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    driver = {"pid": 7, "process_started": 1.0, "host": "elsewhere", "version": "1", "trials": 3}
    store.append(Opened(at=1.0, session=2, **driver))
    lock = DriverLock(store.directory)
    lock.acquire()
    lock.beat()
    lock.release()
    before = (store.directory / EVENTS_FILE).read_bytes()
    session = Session(store)
    with pytest.raises(UserError, match="running already, on elsewhere"):
        session.open(trials=5, budgets={}, changed=replace(PLAN, trials=5))
    assert (store.directory / EVENTS_FILE).read_bytes() == before and store.read_plan().trials == PLAN.trials
    lock.acquire()
    lock.release()


def test_storage_that_is_away_at_the_end_leaves_the_end_to_a_later_driver(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = begun(tmp_path / "s")
    session = Session(store)
    session.open(trials=3, budgets={})
    store.directory.rename(tmp_path / "away")
    session.end(SweepStatus.FAILED, "cannot be reached")
    session.close()
    assert "the sweep's end cannot be written" in caplog.text
    (tmp_path / "away").rename(store.directory)
    assert store.standing().detail.startswith("its driver died at ")
