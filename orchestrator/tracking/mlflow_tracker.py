"""Writes a sweep to MLflow: one thread that follows the sweep's log, so that a slow server slows nothing down.

What the server has not taken yet is the rest of the log. How far it is stands in ``tracked.json``, so nothing is lost
when the server or the driver dies, and nothing is written twice: a resumed sweep or `gan-sweep sync` goes on there. A
write that the server refuses is left out, logged and counted, and `gan-sweep sync` writes everything from it on again.
"""

import logging
import threading
from pathlib import Path

from orchestrator.results.argument import files_argument_of
from orchestrator.results.follower import Follower
from orchestrator.results.places import EVENTS_FILE
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.space.load import build_space
from orchestrator.tracking.grids import GridFetcher
from orchestrator.tracking.mlflow_sink import MlflowSink
from orchestrator.tracking.patience import Patience
from orchestrator.tracking.refusals import Unreachable
from orchestrator.tracking.tracked import Tracked, read_tracked
from orchestrator.tracking.turn import turn
from trainers.errors import first_line

log = logging.getLogger(__name__)

LOOK_S = 0.5  # between looks at the log
LAST_WRITE_S = 15.0  # for the write that is under way when patience ends


class MlflowTracker(threading.Thread):
    """Follows a sweep until `close`.

    Args:
        directory: of the sweep.
        plan: of the sweep.
        tracking_uri: MLflow's, with its secrets.
        again: whether to begin at the first write that the server refused earlier; if not, where it stands.
        register: name of the registered model whose champion the best generator becomes when all is delivered.

    Attributes:
        error: the exception that ended it, None without one.
    """

    def __init__(
        self, directory: Path, plan: SavedPlan, tracking_uri: str, *, again: bool = False, register: str = ""
    ) -> None:
        super().__init__(name="mlflow", daemon=True)
        self.error: BaseException | None = None
        self._patience = Patience()
        space = build_space(plan.space, plan.definition)
        self._sink = MlflowSink(directory, plan, space, tracking_uri, self._patience)
        self._follower = Follower(directory, plan, [GridFetcher(directory), self._sink])
        self._directory, self._again, self._register = directory, again, register
        self._tracked = self._noted = Tracked()  # what MLflow has, and what the file says of that
        self._refused_before = 0
        self._log_before: float = 0  # bytes of the log that another may have begun to write; infinity: all are passed

    def run(self) -> None:
        """Write what happens until `close`, then what is left."""
        try:
            with turn(self._directory, self._patience):
                self._take_over()
                try:
                    self._deliver()
                    if self._register:
                        self._sink.model(self._follower.state, self._register)
                        self._passed()
                finally:
                    self._note()
        except Unreachable as error:
            log.warning("MLflow does not answer, the rest of the log waits for it: %s", error)
            self.error = error
        except BaseException as error:
            log.exception("writing to MLflow stopped")
            self.error = error

    def close(self, patience_s: float, *, renewed: bool = False) -> None:
        """Write what is left of the log; what the server has not taken in time stays for later.

        Args:
            patience_s: seconds from now for all of it, whether the server is away or slow.
            renewed: so long from each write that it takes on: for as long as it takes writes.
        """
        self._patience.end(patience_s, renewed=renewed)
        self.join(None if renewed else patience_s + LAST_WRITE_S)

    @property
    def missing(self) -> str:
        """A sentence on what MLflow does not have; empty where it has everything."""
        sync = f"`gan-sweep sync {files_argument_of(self._directory)}`"
        if self.error is not None or self.is_alive():
            cause = "a write takes too long" if self.error is None else first_line(self.error)
            return f"MLflow has not taken everything ({cause}): {sync} goes on with it"
        if not self._tracked.refused:
            return ""
        cause = f" ({self._sink.refusal})" if self._sink.refusal else ""
        return f"MLflow refused {self._tracked.refused} writes{cause}: {sync} tries them again"

    def _take_over(self) -> None:
        """Find where to begin."""
        self._tracked = self._noted = read_tracked(self._directory)
        self._log_before = (self._directory / EVENTS_FILE).stat().st_size
        if self._again and self._tracked.first_refused is not None:
            self._tracked = Tracked(position=self._tracked.first_refused)
        self._refused_before = self._tracked.refused
        self._follower.skip(self._tracked.position)
        self._patience.renew()  # a long log takes its time

    def _deliver(self) -> None:
        while True:
            ending, new = self._patience.ending.is_set(), False
            for _ in self._follower.steps():
                new = True
                if self._sink.full:
                    self._flush()
            if new:
                self._flush()
            elif ending:
                return
            else:
                self._patience.ending.wait(LOOK_S)

    def _flush(self) -> None:
        """Write what was read so far, all of it together: the slower the server, the more that is."""
        self._sink.flush()
        self._passed()
        self._note()
        if self._tracked.position.events >= self._log_before:
            self._sink.nobody_else_writes(self._follower.state)
            self._log_before = float("inf")

    def _passed(self) -> None:
        """MLflow has what was read so far, or has refused it."""
        self._patience.renew()
        before, refused = self._tracked, self._refused_before + self._sink.refused
        first = before.first_refused or (before.position if refused else None)
        self._tracked = Tracked(position=self._follower.position, refused=refused, first_refused=first)

    def _note(self) -> None:
        """Write down how far MLflow is."""
        if self._tracked != self._noted:
            self._tracked.write(self._directory)
            self._noted = self._tracked
