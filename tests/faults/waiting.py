"""Waiting for something that a test can ask for, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.1


class NotInTimeError(Exception):
    """What was waited for has not come."""


def wait_until(what: str, ask: Callable[[], T | None], limit_s: float) -> T:
    """Ask until the answer is true; returns it.

    Args:
        what: for the error.
        ask: the question; may raise to give up at once.
        limit_s: seconds.

    Raises:
        NotInTimeError: it never was.
    """
    deadline = time.monotonic() + limit_s
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise NotInTimeError(f"{what}: not in {limit_s:g} s")
        time.sleep(POLL_S)
    return answer
