"""Writes a sweep to MLflow: one thread that follows the sweep's log, so that a slow server slows nothing down.

What the server has not taken yet is the rest of the log. How far it is stands in ``tracked.json``, so nothing is lost
when the server or the driver dies, and nothing is written twice: a resumed sweep or `gan-sweep sync` goes on there. A
write that the server refuses is left out, logged and counted; the sweep's directory has everything.
"""

import json
import logging
import threading
import time
from dataclasses import asdict
from pathlib import Path

from orchestrator.results.follower import Follower, Position
from orchestrator.results.places import TRACKED_FILE
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.space.load import build_space
from orchestrator.tracking.grids import GridFetcher
from orchestrator.tracking.mlflow_sink import MlflowSink, Unreachable
from trainers.atomic import write_text
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

    Attributes:
        error: the exception that ended it, None without one.
    """

    def __init__(self, directory: Path, plan: SavedPlan, tracking_uri: str) -> None:
        super().__init__(name="mlflow", daemon=True)
        self.error: BaseException | None = None
        self._sink = MlflowSink(directory, plan, build_space(plan.space, plan.definition), tracking_uri, self._wait)
        self._follower = Follower(directory, plan, [GridFetcher(directory), self._sink])
        self._tracked = directory / TRACKED_FILE
        self._closing = threading.Event()
        self._deadline: float | None = None

    def run(self) -> None:
        """Write what happens until `close`, then what is left."""
        try:
            self._follower.skip(_read(self._tracked))
            while True:
                closing = self._closing.is_set()
                new = self._follower.poll()
                self._sink.flush()
                if new:
                    write_text(self._tracked, json.dumps(asdict(self._follower.position)))
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
        return f"MLflow refused {self._sink.refused} writes" if self._sink.refused else ""

    def _wait(self) -> bool:
        """Wait before another attempt; returns False when there is none to be made."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            return False
        self._closing.wait(RETRY_S) if self._deadline is None else time.sleep(RETRY_S)
        return True


def _read(file: Path) -> Position:
    """How far an earlier driver was; the start where none was. Every write may be repeated, so that does no harm."""
    try:
        return Position(**json.loads(file.read_text()))
    except FileNotFoundError:
        return Position()
    except (ValueError, TypeError) as error:
        log.warning("%s is damaged, everything is written again: %s", file, error)
        return Position()
