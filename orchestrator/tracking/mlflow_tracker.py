"""Writes a sweep to MLflow: one thread that follows the sweep's log, so that a slow server slows nothing down.

What the server has not taken yet is the rest of the log. How far it is stands in ``tracked.json``, so nothing is lost
when the server or the driver dies, and nothing is written twice: a resumed sweep or `gan-sweep sync` goes on there. A
write that the server refuses is left out, logged and counted, and `gan-sweep sync` writes everything from it on again.
"""

import logging
import threading
import time
from pathlib import Path

from orchestrator.results.follower import Follower
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.space.load import build_space
from orchestrator.tracking.mlflow_sink import MlflowSink
from orchestrator.tracking.refusals import Unreachable
from orchestrator.tracking.tracked import Tracked, read_tracked
from trainers.errors import first_line

log = logging.getLogger(__name__)

LOOK_S = 0.5  # between looks at the log
RETRY_S = 1.0  # between attempts to reach a server that is away


class MlflowTracker(threading.Thread):
    """Follows a sweep until `close`.

    Args:
        directory: of the sweep.
        plan: of the sweep.
        tracking_uri: MLflow's, with its secrets.
        again: whether to begin at the first write that the server refused earlier; if not, where it stands.

    Attributes:
        error: the exception that ended it, None without one.
    """

    def __init__(self, directory: Path, plan: SavedPlan, tracking_uri: str, *, again: bool = False) -> None:
        super().__init__(name="mlflow", daemon=True)
        self.error: BaseException | None = None
        self._sink = MlflowSink(directory, plan, build_space(plan.space, plan.definition), tracking_uri, self._wait)
        self._follower = Follower(directory, plan, [self._sink])
        self._directory, self._tracked = directory, read_tracked(directory)
        if again and self._tracked.first_refused is not None:
            self._tracked = Tracked(position=self._tracked.first_refused)
        self._refused_before = self._tracked.refused
        self._closing = threading.Event()
        self._deadline: float | None = None

    def run(self) -> None:
        """Write what happens until `close`, then what is left."""
        try:
            self._follower.skip(self._tracked.position)
            while True:
                closing = self._closing.is_set()
                new = self._follower.poll()
                self._sink.flush()
                if new:
                    self._note()
                elif closing:
                    return
                else:
                    self._closing.wait(LOOK_S)
        except Unreachable as error:
            log.warning("MLflow does not answer, the rest of the log waits for it: %s", error)
            self.error = error
        except BaseException as error:
            log.exception("writing to MLflow stopped")
            self.error = error

    def close(self, patience_s: float) -> None:
        """Write what is left of the log.

        Args:
            patience_s: seconds from now in which a server that is away is tried again; then the rest stays for later.
        """
        self._deadline = time.monotonic() + patience_s
        self._closing.set()
        self.join()

    @property
    def missing(self) -> str:
        """A sentence on what MLflow does not have; empty where it has everything."""
        if self.error is not None:
            return f"MLflow has not taken everything ({first_line(self.error)}): `gan-sweep sync` goes on with it"
        if not self._tracked.refused:
            return ""
        cause = f" ({self._sink.refusal})" if self._sink.refusal else ""
        return f"MLflow refused {self._tracked.refused} writes{cause}: `gan-sweep sync` tries them again"

    def _note(self) -> None:
        """Keep how far MLflow is."""
        before, refused = self._tracked, self._refused_before + self._sink.refused
        first = before.first_refused or (before.position if refused else None)
        self._tracked = Tracked(position=self._follower.position, refused=refused, first_refused=first)
        self._tracked.write(self._directory)

    def _wait(self) -> bool:
        """Wait before another attempt; returns False when there is none to be made."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            return False
        self._closing.wait(RETRY_S) if self._deadline is None else time.sleep(RETRY_S)
        return True
