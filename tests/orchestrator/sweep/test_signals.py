"""Signals to a driver outside its trials: while Ray starts and while it shuts down; the real command line."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.results.store import ResultsStore
from orchestrator.sweep.signals import Interrupts, keeping_handlers
from tests.orchestrator.processes import marked, processes_with

PATIENCE_S = 120.0


class Driver:
    """A `launch` in a process of its own, whose Ray has begun to start."""

    def __init__(self, sweeps: Path, data: Path) -> None:
        self.store = ResultsStore(sweeps / "s")
        self.marker, environment = marked()
        arguments = [
            "launch",
            "--space",
            "ralsgan_motorbike",
            "--demo",
            "--data",
            str(data),
            "--sweeps-dir",
            str(sweeps),
            "--name",
            "s",
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        driver = psutil.Process(self.process.pid)
        self.wait_for(lambda: any(child.name() == "gcs_server" for child in driver.children()))

    def wait_for(self, reached: Callable[[], bool]) -> None:
        while not reached():
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"it ended too early: {self.process.communicate()[0]}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def log(self) -> str:
        return (self.store.directory / "sweep.log").read_text()

    def check_interrupted(self) -> str:
        """Check that it ended as interrupted and left nothing; returns what it showed."""
        shown, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 130, shown
        assert "Traceback" not in shown and "Fatal Python error" not in self.log()
        assert self.store.summary()["status"] == "interrupted"
        assert not list(processes_with(self.marker))
        return shown


@pytest.fixture
def driver(tmp_path: Path, motorbikes: Path) -> Iterator[Driver]:
    started = Driver(tmp_path / "sweeps", motorbikes)
    yield started
    started.process.kill()
    started.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_one_signal_while_ray_starts_ends_the_sweep_before_any_trial(driver: Driver, number: signal.Signals) -> None:
    driver.send(number)
    shown = driver.check_interrupted()
    assert "stopping: " in shown and "Ray shuts down" in driver.log()
    assert driver.store.summary()["trials"] == []


def test_ctrl_c_twice_during_the_shutdown_leaves_at_once(driver: Driver) -> None:
    driver.send(signal.SIGINT)
    driver.wait_for(lambda: "Ray shuts down" in driver.log())
    driver.send(signal.SIGINT)
    driver.send(signal.SIGINT)
    driver.check_interrupted()


def test_while_trials_run_the_first_stops_them_and_the_second_raises() -> None:
    stopped: list[str] = []
    with Interrupts(lambda: stopped.append("written"), stopped.append) as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.while_trials_run(lambda: stopped.append("trials")):
            signal.raise_signal(signal.SIGTERM)
            assert stopped == ["trials"]
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_a_signal_before_the_trials_stops_them_when_they_begin() -> None:
    stopped: list[str] = []
    with Interrupts(lambda: None, lambda line: None) as interrupts:
        interrupts.check()
        signal.raise_signal(signal.SIGHUP)
        with interrupts.while_trials_run(lambda: stopped.append("trials")):
            assert stopped == ["trials"]


def test_handlers_come_back_and_an_ignored_hangup_stays_ignored() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        handlers = [signal.getsignal(number) for number in numbers]
        with Interrupts(lambda: None, lambda line: None) as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            interrupts.check()
        assert [signal.getsignal(number) for number in numbers] == handlers
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_library_does_not_take_a_signal_over() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with keeping_handlers():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_thread_than_the_main_one_takes_no_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def enter() -> None:
        with Interrupts(lambda: None, lambda line: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
