"""What a command does that has asked a driver for something: a driver by its lock and its log alone."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.commands.shared import running_sweep
from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.events import NotDone, Opened
from orchestrator.results.places import REQUESTS_FILE
from orchestrator.results.requests import AddTrial, RequestReader, StopTrial
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


def opened_again(store: ResultsStore, host: str = "h") -> None:
    opened = {"pid": 8, "process_started": 2.0, "host": host, "version": "1", "trials": 3}
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
        running.ask(StopTrial(session=running.session, trial="0000"), lambda state: False, ending=ending)


def test_a_driver_that_has_written_its_end_is_not_waited_for(store: ResultsStore, driver: DriverLock) -> None:
    """It may still deliver to MLflow, for a long time."""
    running = running_sweep("s", store.directory.parent)
    close(store, SweepStatus.INTERRUPTED)
    with pytest.raises(UserError, match="sweep s has ended before it could do that"):
        running.ask(StopTrial(session=running.session, trial="0000"), lambda state: False)


def test_whoever_asked_is_told_why_it_was_not_done(store: ResultsStore, driver: DriverLock) -> None:
    """And nobody else, such as the terminal whose request stands before it."""
    request = AddTrial(session=1, params={})
    store.append(NotDone(at=2.0, session=1, key=AddTrial(session=1, params={}).key, why="another one"))
    store.append(NotDone(at=2.0, session=1, key=request.key, why="the study is away"))
    with pytest.raises(UserError, match="sweep s has not done it: the study is away"):
        running_sweep("s", store.directory.parent).ask(request, lambda state: False)
    assert RequestReader(store.directory, 1).read() == [request]


@pytest.mark.parametrize("status", [SweepStatus.INTERRUPTED, SweepStatus.FAILED])
def test_stop_says_how_it_ended_and_what_goes_on(status: SweepStatus, store: ResultsStore, driver: DriverLock) -> None:
    said = stop(store, driver, lambda: close(store, status))
    assert said == f"s: {status}; `gan-sweep resume {store.directory}` goes on with it"


@pytest.mark.parametrize("status", [SweepStatus.FINISHED, SweepStatus.OUT_OF_TIME])
def test_stop_names_no_command_that_would_be_refused(
    status: SweepStatus, store: ResultsStore, driver: DriverLock
) -> None:
    """It had ended by itself before it read the request."""
    assert stop(store, driver, lambda: close(store, status)) == f"s: {status}"


def test_stop_takes_a_death_for_an_end(store: ResultsStore, driver: DriverLock) -> None:
    opened_again(store, socket.gethostname())
    said = stop(store, driver, lambda: None)
    assert said.startswith("s: interrupted, its driver died at ") and said.endswith(" goes on with it")


def stop(store: ResultsStore, driver: DriverLock, end: Callable[[], None]) -> str:
    """What `stop` says at last; the driver ends as soon as it is asked."""

    def answer() -> None:
        while not (store.directory / REQUESTS_FILE).exists():
            time.sleep(0.01)
        end()
        driver.release()

    answering = threading.Thread(target=answer)
    answering.start()
    result = CliRunner().invoke(main, ["stop", "s", "--sweeps-dir", str(store.directory.parent)])
    answering.join()
    assert result.exit_code == 0, result.output
    asked, last = result.output.splitlines()
    assert asked == "asking s to stop ..."
    return last
