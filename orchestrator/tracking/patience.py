"""How long an MLflow server is waited for."""

import threading
import time

RETRY_S = 1.0  # between attempts to write


class Patience:
    """How long an MLflow server is waited for: for ever until `end` is called, then for some seconds.

    Attributes:
        ending: set by `end`.
    """

    def __init__(self) -> None:
        self.ending = threading.Event()
        self._deadline, self._renewed = float("inf"), 0.0

    def end(self, seconds: float, *, renewed: bool = False) -> None:
        """Wait for some seconds from now.

        Args:
            seconds: for all writes together, however slow each is.
            renewed: so many again from each `renew` on: for as long as anything is done.
        """
        self._renewed = seconds if renewed else 0.0
        self._deadline = time.monotonic() + seconds
        self.ending.set()

    @property
    def over(self) -> bool:
        """Whether nobody waits any longer."""
        return time.monotonic() >= self._deadline

    def renew(self) -> None:
        """Something was done."""
        if self._renewed:
            self._deadline = time.monotonic() + self._renewed

    def wait(self) -> None:
        """Wait before another attempt to write."""
        time.sleep(RETRY_S) if self.ending.is_set() else self.ending.wait(RETRY_S)
