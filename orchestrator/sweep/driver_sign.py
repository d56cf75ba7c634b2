"""When the driver was last heard of: gangs whose driver hangs, or sleeps with its laptop, must not be billed for ever.

A driver that dies takes its gangs along, since Ray ends whatever a job has started.
"""

import time
from collections.abc import Callable


class DriverSign:
    """When the driver last gave a sign.

    Args:
        limit_s: seconds of silence after which it counts as gone; None: it never does.
        clock: seconds that only grow.
    """

    def __init__(self, limit_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s, self._clock, self._heard = limit_s, clock, clock()

    def heard(self) -> None:
        """It gives one now."""
        self._heard = self._clock()

    @property
    def is_gone(self) -> bool:
        """Whether it has been silent for too long."""
        return self._limit_s is not None and self._clock() - self._heard > self._limit_s
