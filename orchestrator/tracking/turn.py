"""Whose turn it is to deliver a sweep to MLflow: a driver's, or that of `status` or `sync`."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.tracking.patience import Patience
from orchestrator.tracking.refusals import Unreachable

TURN_FILE = "tracked.lock"


@contextmanager
def turn(directory: Path, patience: Patience) -> Iterator[None]:
    """Wait until no other process delivers this sweep; in the block none does.

    Raises:
        Unreachable: another still does when nobody waits any longer.
    """
    with (directory / TURN_FILE).open("ab") as file:
        while not _locked(file.fileno()):
            if patience.over:
                raise Unreachable("another process delivers to it")
            patience.wait()
        yield


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
