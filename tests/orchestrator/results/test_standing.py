"""How a sweep stands, also where its driver has died without a word."""

import os
import signal
import time
from pathlib import Path

from orchestrator.results.places import LOCK_FILE
from orchestrator.results.standing import death_of, standing_of
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.results.test_driver_lock import another_driver
from tests.orchestrator.sweep_helpers import PLAN, begun, close

DIED = 1_700_000_000.0


def test_a_driver_that_is_killed_is_not_running_any_more(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    with another_driver(store.directory) as process:
        alive = store.standing()
        assert (alive.status, alive.detail, alive.died) == (SweepStatus.RUNNING, "", None)
        process.send_signal(signal.SIGKILL)
        process.wait()
    os.utime(store.directory / LOCK_FILE, (DIED, DIED))
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


def test_what_a_driver_wrote_at_its_end_stands(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    close(store, SweepStatus.OUT_OF_TIME)
    standing = store.standing()
    assert (standing.status, standing.detail, standing.died) == (SweepStatus.OUT_OF_TIME, "", None)
    assert death_of(store.directory, store.read_state()) is None


def test_a_driver_does_not_die_before_it_has_come(tmp_path: Path) -> None:
    """A lock file that an earlier driver left is older than the session."""
    store = begun(tmp_path / "s")
    (store.directory / LOCK_FILE).touch()
    os.utime(store.directory / LOCK_FILE, (-5.0, -5.0))
    death = death_of(store.directory, store.read_state())
    assert death is not None and death.ended == 0.0


def test_a_driver_that_died_before_it_could_write_anything_is_dead_too(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    os.utime(tmp_path / LOCK_FILE, (DIED, DIED))
    standing = standing_of(tmp_path, SweepState(PLAN))
    assert (standing.status, standing.died) == (SweepStatus.INTERRUPTED, DIED)
    assert death_of(tmp_path, SweepState(PLAN)) is None
