"""The clock of a driver: a wall clock that nobody sets, so that budgets and durations are what they were."""

import socket
import time

from orchestrator.results.events import Opened


def driver_clock(opened: Opened) -> float:
    """Seconds since 1970 by the wall clock as it was when a driver opened its sweep, and by the time gone by since.

    Elsewhere than on its host, and for a driver of an older version, the wall clock.
    """
    if opened.monotonic is None or opened.host != socket.gethostname():
        return time.time()
    return opened.at + time.monotonic() - opened.monotonic
