"""Threads that work on many files; results come in order, and few are held at a time."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

# Items handed to the threads before the oldest result is taken, so that they need not wait for one slow photograph.
AHEAD = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], at_once: int = AHEAD
) -> Generator[Result, None, None]:
    """`function` of every item, in the items' order; at most `at_once` results wait at a time.

    Closing the generator, or an exception in it, cancels what no thread has begun.
    """
    ahead = iter(items)
    waiting: deque[Future[Result]] = deque()
    try:
        while True:
            waiting.extend(pool.submit(function, item) for item in islice(ahead, at_once - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
