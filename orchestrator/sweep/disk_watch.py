"""Whether the sweep's disk has room for what comes next: looked at by the driver while trials run."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.results.argument import argument_of
from trainers.errors import is_full

LOOK_S = 2.0  # between looks
OTHERS_BYTES = 4_000_000  # of the reserve, for logs, histories, grids and MLflow


def reserve(checkpoint: int, gangs: int) -> int:
    """Bytes that must be free: every gang may be writing a checkpoint beside the two that it keeps.

    Args:
        checkpoint: bytes of the largest; 0 where that is not known.
        gangs: how many train at once.
    """
    return gangs * checkpoint + OTHERS_BYTES


class DiskWatch:
    """Looks at the disk of a sweep, and asks whether a rank or the broker could not write.

    Args:
        directory: of the sweep.
        needed: bytes that must be free.
        where_full: says what could not be written, such as by a rank of another node; empty where all could.
        clock: seconds that only grow.

    Attributes:
        line: what is wrong, for people; empty while nothing is. It stays.
    """

    def __init__(
        self, directory: Path, needed: int, where_full: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.line = ""
        self._directory, self._needed, self._where_full, self._clock = directory, needed, where_full, clock
        self._looked = -LOOK_S

    def look(self) -> bool:
        """Whether the sweep cannot go on."""
        if not self.line and self._clock() - self._looked >= LOOK_S:
            self._looked = self._clock()
            self.look_here()
            if not self.line and (place := self._where_full()):
                self._say(place)
        return bool(self.line)

    def look_here(self) -> None:
        """Look at the sweep's own disk, at once: what ended a sweep may not say that it was a full disk."""
        if self.line:
            return
        try:
            free = shutil.disk_usage(self._directory).free
        except OSError as error:
            self.line = f"{self._directory} cannot be reached ({error.strerror}): {self._cure('bring it back')}"
            return
        if free < self._needed:
            self._say(self._directory)

    def seen(self, error: BaseException) -> None:
        """Take an error of the driver's own; one that is not about room is none of this."""
        if not self.line and is_full(error):
            self._say(getattr(error, "filename", None) or self._directory)

    def _say(self, place: Path | str) -> None:
        try:
            free = f"{shutil.disk_usage(self._directory).free / 1e6:,.0f} MB free"
        except OSError as error:
            free = str(error.strerror)
        self.line = (
            f"no space left in {place}: {free}, about {self._needed / 1e6:,.0f} MB needed for the next checkpoints: "
            f"{self._cure('make room')}"
        )

    def _cure(self, first: str) -> str:
        return f"{first}, then gan-sweep resume {argument_of(self._directory)}"
