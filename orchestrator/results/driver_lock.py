"""The lock of a sweep's driver: one driver per sweep, and a sign of its life that its death cannot leave behind."""

import fcntl
import logging
import os
import threading
import time
from pathlib import Path

from orchestrator.results.places import LOCK_FILE
from trainers.errors import UserError

PATIENCE_S = 2.0  # whoever looks at a lock has it for a moment
LOOK_S = 0.05
BEAT_S = 1.0  # between heartbeats

log = logging.getLogger(__name__)


class DriverLock:
    """Held by a driver for as long as it lives: the kernel lets go of it when the process dies, however it dies.

    In its file is the driver's heartbeat: a wall clock as text, since a copy of a file has another time of change.

    Args:
        directory: of the sweep.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._file: int | None = None
        self._heart: threading.Thread | None = None
        self._released = threading.Event()

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            UserError: another driver has it, or its file cannot be written.
        """
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}") from None
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:  # somebody may only be looking
                    time.sleep(LOOK_S)
                    continue
                os.close(file)
                raise UserError(f"sweep {self._path.parent.name} is running already") from None
            except OSError as error:
                os.close(file)
                raise UserError(f"{self._path} cannot be locked: {error.strerror}") from None
            self._file = file
            return

    def beat(self) -> None:
        """Note that the driver, which has the lock, lives; other hosts see it at once.

        Raises:
            OSError: it cannot be written.
        """
        assert self._file is not None
        os.pwrite(self._file, f"{time.time():.3f}\n".encode(), 0)
        os.fdatasync(self._file)

    def keep_beating(self) -> None:
        """Beat until `release`, in a thread of its own: whatever else the driver waits for, it lives."""
        self._released.clear()
        self._heart = threading.Thread(target=self._beat_on, name="heart", daemon=True)
        self._heart.start()

    def _beat_on(self) -> None:
        while not self._released.wait(BEAT_S):
            try:
                self.beat()
            except OSError as error:  # the storage is away, and may come back
                log.warning("no heartbeat: %s", error)

    def release(self) -> None:
        """Let go of it; where the storage does not answer, the end of this process does that."""
        self._released.set()
        if self._heart is not None:
            self._heart.join(BEAT_S)
            if self._heart.is_alive():
                return
        if self._file is not None:
            os.close(self._file)
            self._file = None


def driver_lives(directory: Path) -> bool:
    """Whether a driver holds the sweep's lock.

    Raises:
        UserError: its file cannot be read.
    """
    try:
        with (directory / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise UserError(f"{directory / LOCK_FILE} cannot be read: {error.strerror}") from None
    return False


def note_beat(directory: Path, at: float) -> None:
    """Note a sign of life that a driver gave elsewhere, where none later is known."""
    if (known := last_beat(directory)) is None or known < at:
        (directory / LOCK_FILE).write_text(f"{at:.3f}\n")


def last_beat(directory: Path) -> float | None:
    """When a driver of the sweep last gave a sign of life, seconds since 1970; None where that is not known."""
    try:
        return float((directory / LOCK_FILE).read_text())
    except (FileNotFoundError, ValueError):  # empty: of an older version, or its driver has not come that far
        return None
