"""What `status` prints of a sweep."""

import io
import socket
import time
from pathlib import Path

from rich.console import Console

from orchestrator.display.status_text import print_all, print_one
from orchestrator.results.clock import machine, since_start
from orchestrator.results.events import Halting, Opened
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, SweepStatus
from tests.orchestrator.results.test_driver_lock import another_driver
from tests.orchestrator.sweep_helpers import begun, close, ended, keep, repeated


def both(store: ResultsStore) -> tuple[str, str]:
    """What the list says of a sweep, and what is said of it alone."""
    screens = io.StringIO(), io.StringIO()
    print_all(Console(file=screens[0], width=200), [(store, store.read_state())])
    print_one(Console(file=screens[1], width=200), store, store.read_state())
    return screens[0].getvalue(), screens[1].getvalue()


def test_the_command_that_goes_on_finds_a_sweep_that_lies_elsewhere(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    close(store, SweepStatus.INTERRUPTED)
    screen = io.StringIO()
    print_one(Console(file=screen, width=200), store, store.read_state())
    assert f"gan-sweep resume {store.directory}\n" in screen.getvalue()


def test_a_list_cuts_no_name_in_a_narrow_terminal_and_says_the_rest_below(tmp_path: Path) -> None:
    store = begun(tmp_path / "ralsgan_motorbike-20261129-014746")
    close(store, SweepStatus.INTERRUPTED)
    screen = io.StringIO()
    console = Console(file=screen, width=60)
    print_all(console, [(store, store.read_state()), (store, "its log is damaged")])
    _, row, unreadable, note = (line.split() for line in screen.getvalue().splitlines())
    assert row[:3] == ["ralsgan_motorbike-20261129-014746", "interrupted", "0/3"]
    assert unreadable[1] == "unreadable" and note[-4:] == ["its", "log", "is", "damaged"]
    assert console.width == 60


def test_the_list_says_the_same_of_a_sweep_that_ends_as_the_sweep_alone(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    keep(store, ended("0000", "completed", 50.0), TrialRecord("0001", {}, total_epochs=4, started=100.0))
    with another_driver(store.directory):
        assert all("ending" not in text for text in both(store)) and "  left " in both(store)[1]
        store.append(Halting(at=200.0, session=1, reason=StopReason.OUT_OF_TIME, gangs_exit=False))
        for text in both(store):
            assert "running" in text and "ending, its time budget is used up: its trials stop" in text
        keep(store, ended("0001", "out_of_time", None))
        for text in both(store):
            assert "running" in text and "budget is used up: the best trials are measured again" in text
        alone = both(store)[1]
        assert "  now " not in alone and "  left " not in alone, "no trial starts any more"
    for text in both(store):
        assert "interrupted" in text and "its driver died at" in text and "ending" not in text


def test_how_far_the_best_settings_are_trained_again(tmp_path: Path) -> None:
    store, setting = begun(tmp_path / "s"), repeated("0000", 60.0, 61.0, None)
    with another_driver(store.directory):
        keep(store, setting)
        store.append(Halting(at=200.0, session=1, reason=StopReason.OUTRANKED, gangs_exit=False))
        keep(store, *setting.repeats, TrialRecord("0000s3", {"seed": 7}, total_epochs=4, started=100.0))
        for text in both(store):
            assert (
                "its trials are over: the best settings are trained again, 2 of 3 training seeds done, 1 failed" in text
            )
        alone = both(store)[1]
    assert "1 of 3: 1 completed, 0 waiting" in alone and "trial 0000s3 at epoch 0/4" in alone
    assert "0000: 61.00 over 1 training seed; 1 of 3 ran to the end" in alone
    assert "no other setting was trained again" in alone


def test_a_sweep_whose_driver_elsewhere_gives_no_sign_does_nothing_now(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    driver = {"pid": 7, "process_started": 1.0, "version": "1", "trials": 3, "machine": "another"}
    store.append(Opened(at=1.0, session=2, host=f"not-{socket.gethostname()}", **driver))
    for text in both(store):
        assert "interrupted" in text and "no sign of its driver on not-" in text and "  now " not in text


def test_the_time_of_a_sweep_that_runs_is_by_its_drivers_clock(tmp_path: Path) -> None:
    """The wall clock was set back a day after the driver had opened the sweep, five hours ago."""
    store = begun(tmp_path / "s")
    close(store, SweepStatus.INTERRUPTED, ended=0.0)
    driver = {"pid": 7, "process_started": 1.0, "version": "1", "trials": 3, "host": socket.gethostname()}
    clock = {"monotonic": since_start() - 5 * 3600, "machine": machine()}
    store.append(Opened(at=time.time() + 86400, session=2, **driver, **clock))
    with another_driver(store.directory):
        assert all("5 h 00 min" in text for text in both(store))
    assert all(" 0 s" in text for text in both(store)), "until its last sign, which was before"
