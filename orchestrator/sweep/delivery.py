"""The delivery to MLflow: begins when a gang has the first trial, since everything before that waits for processors."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.results.argument import files_argument_of
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.state import SweepState
from trainers.errors import first_line

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_tracker import MlflowTracker

log = logging.getLogger(__name__)


class Delivery:
    """Importing MLflow takes 2 s of a processor, and a new database 3 s more: the gangs' processes start meanwhile.

    Args:
        directory: of the sweep.
        plan: of the sweep.
        tracking_uri: MLflow's, with its secrets.
        state: returns how the sweep stands.
    """

    def __init__(self, directory: Path, plan: SavedPlan, tracking_uri: str, state: Callable[[], SweepState]) -> None:
        self._arguments, self._state = (directory, plan, tracking_uri), state
        self._tracker: MlflowTracker | None = None
        self._error: Exception | None = None
        self._starting = threading.Thread(target=self._start, name="mlflow-start", daemon=True)

    def look(self) -> None:
        """Begin where a gang has a trial; called often, by one thread."""
        if self._starting.ident is None and self._state().holders:
            self._starting.start()

    def end(self, patience_s: float) -> str:
        """Deliver what is left, after the last `look`.

        Args:
            patience_s: as `MlflowTracker.close` has it.

        Returns:
            A sentence on what MLflow does not have; empty where it has everything.
        """
        if self._starting.ident is None:
            self._starting.start()
        self._starting.join()
        if self._tracker is None:
            assert self._error is not None
            sync = f"`gan-sweep sync {files_argument_of(self._arguments[0])}`"
            return f"MLflow could not be begun ({first_line(self._error)}): {sync} writes to it"
        self._tracker.close(patience_s)
        return self._tracker.missing

    def _start(self) -> None:
        try:
            from orchestrator.tracking.mlflow_tracker import MlflowTracker

            tracker = MlflowTracker(*self._arguments)
        except Exception as error:
            log.exception("MLflow could not be begun")
            self._error = error
            return
        tracker.start()
        self._tracker = tracker
