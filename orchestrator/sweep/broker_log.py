"""The broker's pen: writes what happens to the sweep's log, then folds it into the state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.results import events
from orchestrator.results.clock import driver_clock
from orchestrator.results.lines import LineWriter
from orchestrator.results.places import EVENTS_FILE
from orchestrator.results.state import SweepState
from trainers.errors import is_full


class BrokerLog:
    """Writes the log of a sweep that has a driver.

    Args:
        directory: of the sweep.
        state: how it stands; kept up to date from now on.

    Attributes:
        full: what could not be written, by the broker or a rank; empty where all could. Then no trial goes on, and the
            driver ends the sweep.
    """

    def __init__(self, directory: Path, state: SweepState) -> None:
        self.full = ""
        self._state, self._lines = state, LineWriter(directory / EVENTS_FILE)

    def now(self) -> float:
        """Seconds since 1970, by the driver's clock."""
        return driver_clock(self._state.sessions[-1].opened)

    def write(self, kind: Callable[..., events.Event], **values: Any) -> bool:
        """Write an event, then fold it; returns whether it has happened.

        One that the disk has no room for has not, and the sweep ends; that it ends is folded all the same.

        Raises:
            OSError: it cannot be written for another reason; then it has not happened either.
        """
        event = kind(at=self.now(), session=self._state.session, **values)
        try:
            events.write(self._lines, event)
        except OSError as error:
            if not is_full(error):
                raise
            self.full = self.full or str(error.filename)
            if kind is not events.Halting:
                return False
        self._state.apply(event)
        return True
