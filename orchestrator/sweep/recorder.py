"""The recorder: one thread of the driver that follows the sweep's log, keeps its state and tells the screen."""

import logging
import threading
from collections.abc import Callable, Sequence

from orchestrator.results.follower import Follower
from orchestrator.results.state import SweepState

log = logging.getLogger(__name__)

LOOK_S = 0.25  # between looks at the log
CLOSE_S = 30.0  # to read the rest of the log


class Recorder(threading.Thread):
    """Follows the log until `close`.

    Args:
        follower: of the sweep.

    Attributes:
        chores: called at each look, such as for what other terminals ask for.
        error: the exception that ended the recording, None without one.
    """

    def __init__(self, follower: Follower) -> None:
        super().__init__(name="recorder", daemon=True)
        self.error: BaseException | None = None
        self.chores: Sequence[Callable[[], None]] = ()
        self._follower = follower
        self._closing = threading.Event()

    @property
    def state(self) -> SweepState:
        """How the sweep stands."""
        return self._follower.state

    def run(self) -> None:
        """Follow the log until `close`, and read what is left then."""
        try:
            while not self._closing.wait(LOOK_S):
                self._follower.poll()
                for chore in self.chores:
                    chore()
            self._follower.poll()
        except BaseException as error:
            log.exception("recording stopped")
            self.error = error

    def close(self) -> None:
        """Read the log to its end, then end; one that waits for a broker that does not answer is left behind."""
        self._closing.set()
        self.join(CLOSE_S)
