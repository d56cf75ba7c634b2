"""How often a gang is started again before it is given up: so many times in a row, whatever it went through before."""

import time
from collections.abc import Callable
from typing import Any

import ray
from ray._private.state import state
from ray.train.v2._internal.execution.failure_handling import FailureDecision
from ray.train.v2._internal.execution.failure_handling.default import DefaultFailurePolicy
from ray.train.v2.api.exceptions import WorkerGroupError

from orchestrator.sweep.leaving import LeftError

MAX_RESTARTS = 100  # at some 12 s each, a gang that never starts is given up after about 20 minutes
WELL_S = 120.0  # a failure so long after the last one is the first of a new row


class FailureRow:
    """Counts failures in a row: without work that is kept in between, and not long after each other.

    Args:
        work: how much the gang has done so far.
        clock: seconds that only grow.
    """

    def __init__(self, work: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._work, self._clock = work, clock
        self._row, self._last, self._done = 0, clock(), 0

    def failed(self) -> int:
        """A failure happens now. Returns which it is of its row, from 1."""
        now, done = self._clock(), self._work()
        self._row = 1 if now - self._last >= WELL_S or done != self._done else self._row + 1
        self._last, self._done = now, done
        return self._row


def all_left(error: Any) -> bool:
    """Whether all ranks that failed have left because they were asked to."""
    failures = error.worker_failures.values() if isinstance(error, WorkerGroupError) else ()
    return bool(failures) and all(isinstance(failure, LeftError) for failure in failures)


class FailuresInARow(DefaultFailurePolicy):
    """Ray Train's policy (ray 2.60), which counts the failures of a whole run; a gang's run may last for weeks."""

    def __init__(self, failure_config: Any, work: Callable[[], int]) -> None:
        super().__init__(failure_config)
        self._failures = FailureRow(work)

    def make_decision(self, training_failed_error: Any) -> Any:
        """Called by Ray Train's controller after a failure.

        Where its own node goes, it ends when its ranks have left: others that it started would die with it.
        """
        if all_left(training_failed_error) and ray.get_runtime_context().get_node_id() in state.get_draining_nodes():
            return FailureDecision.RAISE
        if self._failures.failed() == 1:
            self._worker_group_failures = self._controller_failures = 0
        return super().make_decision(training_failed_error)
