"""How a sweep stands, also where its driver has died without a word."""

import shutil
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results import standing
from orchestrator.results.clock import machine
from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.events import Opened
from orchestrator.results.places import LOCK_FILE
from orchestrator.results.records import TrialRecord
from orchestrator.results.standing import check_not_elsewhere, death_of, last_sign, standing_of
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.results.test_driver_lock import another_driver
from tests.orchestrator.sweep_helpers import PLAN, begun, close, epoch, keep, keep_epochs
from trainers.errors import UserError

DIED = 1_700_000_000.0


def test_a_driver_that_is_killed_is_not_running_any_more(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    with another_driver(store.directory) as process:
        alive = store.standing()
        assert (alive.status, alive.detail, alive.died) == (SweepStatus.RUNNING, "", None)
        process.send_signal(signal.SIGKILL)
        process.wait()
    (store.directory / LOCK_FILE).write_text(f"{DIED}\n")
    dead = store.standing()
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(DIED))
    assert (dead.status, dead.died) == (SweepStatus.INTERRUPTED, DIED)
    assert dead.detail == f"its driver died at {at}"
    summary = store.summary()
    assert (summary["status"], summary["detail"]) == ("interrupted", dead.detail)

    death = death_of(store.directory, store.read_state())
    assert death is not None
    assert (death.session, death.status, death.ended, death.detail) == (1, "interrupted", DIED, dead.detail)
    store.append(death)
    assert death_of(store.directory, store.read_state()) is None
    after = store.standing()
    assert (after.status, after.detail, after.died) == (SweepStatus.INTERRUPTED, dead.detail, None)


def test_a_copy_died_when_its_driver_did(tmp_path: Path) -> None:
    """``cp -r`` gives every file a new time of change."""
    store = begun(tmp_path / "s")
    (store.directory / LOCK_FILE).write_text(f"{DIED}\n")
    copied = ResultsStore(shutil.copytree(store.directory, tmp_path / "copy", copy_function=shutil.copyfile))
    assert copied.standing().died == DIED and last_sign(copied.directory, copied.read_state()) == DIED


def test_without_a_heartbeat_the_newest_epoch_counts(tmp_path: Path) -> None:
    """Older versions wrote none into the file, and a copy may lack the file."""
    store = begun(tmp_path / "s")
    for _ in range(2):
        keep(store, TrialRecord("0000", {}, 4, DIED - 9.0))
        keep_epochs(store, "0000", replace(epoch(1), ended=DIED))
        assert store.standing().died == DIED
        (store.directory / LOCK_FILE).touch()


def test_what_a_driver_wrote_at_its_end_stands(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    close(store, SweepStatus.OUT_OF_TIME)
    standing = store.standing()
    assert (standing.status, standing.detail, standing.died) == (SweepStatus.OUT_OF_TIME, "", None)
    assert death_of(store.directory, store.read_state()) is None


def test_a_driver_does_not_die_before_it_has_come(tmp_path: Path) -> None:
    """A lock file that an earlier driver left is older than the session."""
    store = begun(tmp_path / "s")
    (store.directory / LOCK_FILE).write_text("-5.0\n")
    death = death_of(store.directory, store.read_state())
    assert death is not None and death.ended == 0.0


def test_a_sweep_whose_driver_died_before_it_could_write_anything_was_never_started(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text(f"{DIED}\n")
    found = standing_of(tmp_path, SweepState(PLAN))
    assert (found.status, found.detail, found.died) == (SweepStatus.INTERRUPTED, "it was never started", None)
    assert death_of(tmp_path, SweepState(PLAN)) is None


def opened_elsewhere(directory: Path) -> ResultsStore:
    """A sweep whose second driver is on another host, from which no lock comes here."""
    store = begun(directory)
    driver = {"pid": 7, "process_started": 1.0, "host": "elsewhere", "version": "1", "trials": 3}
    store.append(Opened(at=1.0, session=2, **driver))
    return store


def test_a_driver_that_beats_on_another_host_is_not_taken_for_dead(tmp_path: Path) -> None:
    store = opened_elsewhere(tmp_path / "s")
    lock = DriverLock(store.directory)
    lock.acquire()
    lock.beat()
    lock.release()
    assert store.standing().status is SweepStatus.RUNNING
    with pytest.raises(UserError, match=r"sweep s is running already, on elsewhere, which gave a sign of life at 20"):
        check_not_elsewhere(store.directory, store.read_state())


def test_a_silent_driver_on_another_host_is_reported_but_only_the_next_driver_writes_its_end(tmp_path: Path) -> None:
    store = opened_elsewhere(tmp_path / "s")
    (store.directory / LOCK_FILE).write_text(f"{DIED}\n")
    found, state = store.standing(), store.read_state()
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(DIED))
    assert (found.status, found.died) == (SweepStatus.INTERRUPTED, None)
    assert found.detail == f"no sign of its driver on elsewhere since {at}"
    assert death_of(store.directory, state) is None
    death = death_of(store.directory, state, taken_over=True)
    assert death is not None and death.ended == DIED


def test_a_heartbeat_that_changes_counts_whatever_the_clocks_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened_elsewhere(tmp_path / "s")
    lock, state = store.directory / LOCK_FILE, store.read_state()
    lock.write_text(f"{DIED}\n")
    monkeypatch.setattr(standing, "WATCH_S", 0.5)
    check_not_elsewhere(store.directory, state)
    monkeypatch.setattr(standing, "WATCH_S", 60.0)
    beat = threading.Timer(0.5, lock.write_text, (f"{DIED + 1}\n",))
    beat.start()
    with pytest.raises(UserError, match="running already, on elsewhere"):
        check_not_elsewhere(store.directory, state)
    beat.join()


def test_a_heartbeat_of_the_future_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host's clock is hours ahead, and its driver is dead."""
    monkeypatch.setattr(standing, "WATCH_S", 0.0)
    store = begun(tmp_path / "s")
    state = store.read_state()
    (session,) = state.sessions
    session.opened = replace(session.opened, host="another")
    (store.directory / LOCK_FILE).write_text(f"{time.time() + 7200}\n")
    check_not_elsewhere(store.directory, state)


def test_a_host_with_another_name_is_the_same_host(tmp_path: Path) -> None:
    """A new container on one machine; and two machines whose containers have one name."""
    store = begun(tmp_path / "s")
    state = store.read_state()
    (session,) = state.sessions
    (store.directory / LOCK_FILE).write_text(f"{time.time()}\n")
    session.opened = replace(session.opened, host="another", machine=machine())
    check_not_elsewhere(store.directory, state)
    session.opened = replace(session.opened, host=socket.gethostname(), machine="another")
    with pytest.raises(UserError, match="running already"):
        check_not_elsewhere(store.directory, state)
