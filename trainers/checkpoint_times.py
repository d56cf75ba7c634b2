"""When a checkpoint is due by time: between epochs as often as is cheap, inside a long one where it is high time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.02  # of a run's time that checkpoints which are due by time alone may take
LONGEST = 300.0  # seconds between checkpoints, whatever they cost


class CheckpointTimes:
    """Measures what checkpoints cost and decides when the next is due by time.

    Args:
        clock: seconds that only grow.

    Attributes:
        cost: seconds that the last save took; None before the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.cost: float | None = None
        self._saved = self._asked = clock()

    def due(self) -> bool:
        """Whether to save now; ask once after each epoch.

        The first time always: only a save tells what a save costs. Later where it would take at most `SHARE` of the
        time since the last one, or where after another epoch as long as this one `LONGEST` would be over.
        """
        now = self._clock()
        epoch, since = now - self._asked, now - self._saved
        self._asked = now
        return self.cost is None or since > self.cost / SHARE or since + epoch > LONGEST

    def late(self) -> bool:
        """Whether to save inside an epoch: `LONGEST` is over."""
        return self._clock() - self._saved > LONGEST

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measures the save in its block, whatever it was due for. A block that raises has saved nothing."""
        started = self._clock()
        yield
        self._saved = self._asked = self._clock()
        self.cost = self._saved - started
