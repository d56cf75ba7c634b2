"""What a command does that has asked a driver for something: a driver by its lock and its log alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.commands.shared import running_sweep
from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.events import Opened
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close
from trainers.errors import UserError

pytestmark = pytest.mark.timeout(20)  # of a command that would wait for ever


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return begun(tmp_path / "s")


@pytest.fixture
def driver(store: ResultsStore) -> Iterator[DriverLock]:
    """A living driver."""
    lock = DriverLock(store.directory)
    lock.acquire()
    yield lock
    lock.release()


def opened_again(store: ResultsStore) -> None:
    opened = {"pid": 8, "process_started": 2.0, "host": "h", "version": "1", "trials": 3}
    store.append(Opened(at=300.0, session=2, **opened))  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [False, True])
def test_a_request_to_a_driver_that_another_follows_is_not_waited_for(
    store: ResultsStore, driver: DriverLock, ending: bool
) -> None:
    """`resume` had the lock, and had not written yet that it runs the sweep."""
    running = running_sweep("s", store.directory.parent)
    close(store, SweepStatus.INTERRUPTED)
    opened_again(store)
    with pytest.raises(UserError, match="another driver has just taken over sweep s: ask again"):
        running.wait_until(lambda state: False, ending=ending)


def test_a_driver_that_has_written_its_end_is_not_waited_for(store: ResultsStore, driver: DriverLock) -> None:
    """It may still deliver to MLflow, for a long time."""
    running = running_sweep("s", store.directory.parent)
    close(store, SweepStatus.INTERRUPTED)
    with pytest.raises(UserError, match="sweep s has ended before it could do that"):
        running.wait_until(lambda state: False)
