"""Requests that arrive together are computed together."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from orchestrator.serving.limits import Limits
from orchestrator.serving.metrics import Metrics

_LONGEST_PAUSE_S = 60


class UnavailableError(Exception):
    """The server cannot answer now.

    Args:
        reason: for the one who asked.
        retry_s: after how many seconds it may; None: when what waits now is made.
    """

    def __init__(self, reason: str, retry_s: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_s = reason, retry_s


@dataclass(eq=False)
class _Waiting:
    kind: str
    rows: Tensor
    since: float
    made: asyncio.Future[Tensor]


class Batcher:
    """Joins what requests want into batches for one device, in the order in which they came.

    Args:
        compute: makes images ``[n, 3, S, S]`` from a kind and rows ``[n, ...]``; rows of one kind have one shape. It is
            called in a thread of its own, one call at a time.
        limits: of a batch and of what may wait.
        metrics: where it counts.
    """

    def __init__(self, compute: Callable[[str, Tensor], Tensor], limits: Limits, metrics: Metrics) -> None:
        self._compute, self._limits, self._metrics = compute, limits, metrics
        self._queue: deque[_Waiting] = deque()
        self._images = self._computing = 0  # that wait, and that the device has
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._seconds_per_image = 0.0
        self._running: asyncio.Task[None] | None = None

    @property
    def lives(self) -> bool:
        """Whether what is asked is computed."""
        return self._running is not None and not self._running.done()

    def retry_s(self) -> int:
        """In how many seconds what is asked already will be made, as far as the last batch tells; at least 1."""
        seconds = (self._images + self._computing) * self._seconds_per_image
        return min(_LONGEST_PAUSE_S, max(1, ceil(seconds)))

    async def make(self, kind: str, rows: Tensor) -> Tensor:
        """Images for `rows`, at most `Limits.batch` of them. Cancelled, they are not computed if they still wait.

        Raises:
            UnavailableError: too many wait already, or the device has no memory left.
        """
        if self._images + len(rows) > self._limits.waiting:
            raise UnavailableError(f"{self._images} images wait already")
        loop = asyncio.get_running_loop()
        one = _Waiting(kind, rows, loop.time(), loop.create_future())
        self._queue.append(one)
        self._count(len(rows))
        return await one.made

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compute what is asked for inside the block."""
        with ThreadPoolExecutor(1, "device") as device:
            self._running = asyncio.create_task(self._run(device))
            try:
                yield
            finally:
                self._running.cancel()
                with suppress(asyncio.CancelledError):
                    await self._running

    async def _run(self, device: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next_batch()
            if not batch:
                continue
            rows, started = torch.cat([one.rows for one in batch]), time.monotonic()
            self._computing = len(rows)
            try:
                images = await loop.run_in_executor(device, self._compute, batch[0].kind, rows)
            except Exception as error:  # of these requests; the next batch may do
                full = isinstance(error, torch.OutOfMemoryError)
                said = UnavailableError("the device has no memory left") if full else error
                for one in batch:
                    if not one.made.done():
                        one.made.set_exception(said)
                continue
            finally:
                self._computing = 0
            self._seconds_per_image = (time.monotonic() - started) / len(rows)
            self._metrics.images.inc(len(rows))
            self._metrics.batches.observe(len(rows))
            for one, part in zip(batch, images.split([len(one.rows) for one in batch]), strict=True):
                if not one.made.done():
                    one.made.set_result(part)

    async def _next_batch(self) -> list[_Waiting]:
        """The first that wait, of one kind; empty where all of them were cancelled meanwhile."""
        await self._some.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._queue[0].since + self._limits.wait_s):
                await self._enough.wait()
        batch: list[_Waiting] = []
        while self._queue:
            first = self._queue[0]
            taken = sum(len(one.rows) for one in batch)
            if batch and (first.kind != batch[0].kind or taken + len(first.rows) > self._limits.batch):
                break
            self._queue.popleft()
            self._count(-len(first.rows))
            if not first.made.done():
                batch.append(first)
        return batch

    def _count(self, more: int) -> None:
        self._images += more
        self._metrics.waiting.set(self._images)
        for event, holds in ((self._some, self._queue), (self._enough, self._images >= self._limits.batch)):
            event.set() if holds else event.clear()
