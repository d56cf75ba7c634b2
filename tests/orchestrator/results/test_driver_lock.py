"""One driver per sweep: its lock goes when its process does, however that dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.results.driver_lock import LOOK_S, DriverLock, driver_lives, last_beat
from orchestrator.results.places import LOCK_FILE
from trainers.errors import UserError

TICK_S = 0.011  # a file is stamped with the time of the last tick, of which there are 100 a second or more

HOLD = """
import sys
from pathlib import Path
from orchestrator.results.driver_lock import DriverLock
lock = DriverLock(Path(sys.argv[1]))
lock.acquire()
lock.beat()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_driver(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the sweep's lock until it is killed, or its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    assert not driver_lives(tmp_path), "there was none"
    with another_driver(tmp_path) as process:
        assert driver_lives(tmp_path)
        with pytest.raises(UserError, match=f"sweep {tmp_path.name} is running already"):
            DriverLock(tmp_path).acquire()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not driver_lives(tmp_path)
        assert (tmp_path / LOCK_FILE).exists()
        lock = DriverLock(tmp_path)
        lock.acquire()
        assert driver_lives(tmp_path)
        lock.release()
        lock.release()
        assert not driver_lives(tmp_path)


def test_looking_takes_the_lock_from_nobody(tmp_path: Path) -> None:
    """A driver starts while others look whether one lives: they must not be in its way."""
    lock = DriverLock(tmp_path)
    lock.acquire()
    lock.release()
    assert not driver_lives(tmp_path)
    lock.acquire()
    assert driver_lives(tmp_path)
    lock.release()


def test_its_heart_beats(tmp_path: Path) -> None:
    lock = DriverLock(tmp_path)
    lock.acquire()
    assert last_beat(tmp_path) is None
    for _ in range(2):
        before = time.time()
        lock.beat()
        assert (beat := last_beat(tmp_path)) is not None and before - TICK_S <= beat <= time.time() + TICK_S
        os.utime(tmp_path / LOCK_FILE, (1000.0, 1000.0))
    lock.release()


def test_it_beats_whatever_its_driver_waits_for(tmp_path: Path) -> None:
    lock = DriverLock(tmp_path)
    lock.acquire()
    lock.beat()
    first = last_beat(tmp_path)
    lock.keep_beating()
    while last_beat(tmp_path) == first:  # pytest's own timeout is the limit
        time.sleep(LOOK_S)
    lock.release()
    assert "heart" not in {thread.name for thread in threading.enumerate()}


def test_a_lock_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "away" / LOCK_FILE)
    with pytest.raises(UserError, match=r"driver\.lock cannot be written: No such file or directory$"):
        DriverLock(tmp_path).acquire()
    (tmp_path / LOCK_FILE).unlink()
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(UserError, match=r"driver\.lock cannot be read: Is a directory$"):
        driver_lives(tmp_path)
