"""The clock of a driver: a wall clock that nobody sets, so that budgets and durations are what they were."""

import functools
import time
from pathlib import Path

from orchestrator.results.events import Opened


@functools.cache  # asked for with every event, and in every turn of Tune's loop
def machine() -> str:
    """What the kernel calls its current run: one word for a host and its containers, until it is started again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def since_start() -> float:
    """Seconds since the kernel was started, suspension included; nobody sets this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def driver_clock(opened: Opened) -> float:
    """Seconds since 1970 by the wall clock as it was when a driver opened its sweep, and by the time gone by since.

    Elsewhere than on its host, and for a driver of an older version, the wall clock.
    """
    if opened.monotonic is None or opened.machine != machine():
        return time.time()
    return opened.at + since_start() - opened.monotonic
