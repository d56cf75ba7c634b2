"""The lock of a sweep's driver: one driver per sweep, and a sign of its life that its death cannot leave behind."""

import fcntl
import logging
import os
import threading
import time
from pathlib import Path
from typing import IO

from orchestrator.results.places import LOCK_FILE
from trainers.errors import UserError

PATIENCE_S = 2.0  # whoever looks at a lock has it for a moment
LOOK_S = 0.05
BEAT_S = 1.0  # between heartbeats

log = logging.getLogger(__name__)


class DriverLock:
    """Held by a driver for as long as it lives: the kernel lets go of it when the process dies, however it dies.

    Its file's time of change is the driver's heartbeat.

    Args:
        directory: of the sweep.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._file: IO[bytes] | None = None
        self._heart: threading.Thread | None = None
        self._released = threading.Event()

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            UserError: another driver has it.
        """
        file = self._path.open("ab")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:  # somebody may only be looking
                    time.sleep(LOOK_S)
                    continue
                file.close()
                raise UserError(f"sweep {self._path.parent.name} is running already") from None
            except OSError as error:
                file.close()
                raise UserError(f"{self._path} cannot be locked: {error.strerror}") from None
            self._file = file
            return

    def beat(self) -> None:
        """Note that the driver lives."""
        os.utime(self._path)

    def keep_beating(self) -> None:
        """Beat until `release`, in a thread of its own: whatever else the driver waits for, it lives."""
        self._heart = threading.Thread(target=self._beat_on, name="heart", daemon=True)
        self._heart.start()

    def _beat_on(self) -> None:
        while not self._released.wait(BEAT_S):
            try:
                self.beat()
            except OSError:  # the storage is away, and may come back
                log.exception("no heartbeat")

    def release(self) -> None:
        """Let go of it."""
        self._released.set()
        if self._heart is not None:
            self._heart.join(BEAT_S)
        if self._file is not None:
            self._file.close()
            self._file = None


def driver_lives(directory: Path) -> bool:
    """Whether a driver holds the sweep's lock."""
    try:
        with (directory / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def last_beat(directory: Path) -> float:
    """When a driver of the sweep last gave a sign of life, seconds since 1970; now where none ever did."""
    try:
        return (directory / LOCK_FILE).stat().st_mtime
    except FileNotFoundError:
        return time.time()
