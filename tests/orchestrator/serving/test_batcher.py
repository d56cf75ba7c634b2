"""Requests that wait together are computed together; what cannot be is said."""

import asyncio
import threading
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from orchestrator.serving.batcher import Batcher, UnavailableError
from orchestrator.serving.limits import Limits
from orchestrator.serving.metrics import Metrics


class Device:
    """Computes nothing, waits at a gate, and remembers how it was asked."""

    def __init__(self, *, shut: bool = False) -> None:
        self.asked: list[tuple[str, int]] = []
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        if not shut:
            self.gate.set()

    def __call__(self, kind: str, rows: Tensor) -> Tensor:
        self.asked.append((kind, len(rows)))
        self.entered.release()
        assert self.gate.wait(30)
        if kind == "bad":
            raise RuntimeError("bad")
        if kind == "full":
            raise torch.OutOfMemoryError("much text")
        return rows + 1

    async def computes(self) -> None:
        """Wait until it has been asked once more."""
        assert await asyncio.to_thread(self.entered.acquire, timeout=30)


def rows(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 60))


def asks(batcher: Batcher, *parts: Tensor, kind: str = "") -> list[asyncio.Task[Tensor]]:
    return [asyncio.create_task(batcher.make(kind, part)) for part in parts]


def test_what_comes_while_the_device_computes_is_one_batch() -> None:
    async def story() -> None:
        device = Device(shut=True)
        batcher = Batcher(device, Limits(batch=8), Metrics())
        async with batcher.running():
            first = asks(batcher, rows(0))
            await device.computes()
            others = asks(batcher, rows(1, 2, 3), rows(4), rows(5, 6, 7, 8), rows(9))
            await asyncio.sleep(0)
            device.gate.set()
            made = await asyncio.gather(*first, *others)
        assert device.asked == [("", 1), ("", 8), ("", 1)]
        assert [part[:, 0].tolist() for part in made] == [[1], [2, 3, 4], [5], [6, 7, 8, 9], [10]]

    run(story())


def test_a_batch_that_is_full_does_not_wait_and_one_that_is_not_does() -> None:
    async def story() -> None:
        device = Device()
        batcher = Batcher(device, Limits(batch=2, wait_s=1e6), Metrics())
        async with batcher.running():
            first, *_ = asks(batcher, rows(1))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not device.asked and not first.done()
            await asyncio.gather(first, *asks(batcher, rows(2)))
        assert device.asked == [("", 2)]

    run(story())


def test_kinds_do_not_mix() -> None:
    async def story() -> None:
        device = Device()
        batcher = Batcher(device, Limits(), Metrics())
        async with batcher.running():
            await asyncio.gather(
                *asks(batcher, rows(1), rows(2), kind="a2b"),
                *asks(batcher, rows(3), kind="b2a"),
                *asks(batcher, rows(4)),
            )
        assert device.asked == [("a2b", 2), ("b2a", 1), ("", 1)]

    run(story())


def test_a_full_queue_refuses_and_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 3))  # each batch takes 3 s
    monkeypatch.setattr("orchestrator.serving.batcher.time", SimpleNamespace(monotonic=lambda: next(clock)))

    async def story() -> None:
        device = Device(shut=True)
        batcher = Batcher(device, Limits(batch=2, waiting=4), Metrics())
        assert batcher.retry_s() == 1
        async with batcher.running():
            computed = asks(batcher, rows(0))
            await device.computes()
            waiting = asks(batcher, rows(1, 2), rows(3, 4))
            await asyncio.sleep(0)
            with pytest.raises(UnavailableError, match="4 images wait already"):
                await batcher.make("", rows(5))
            assert batcher.retry_s() == 1, "nothing is known yet"
            device.gate.set()
            await asyncio.gather(*computed, *waiting)
            device.gate.clear()
            computed = asks(batcher, rows(5))
            for _ in range(3):  # the two batches before, and this one
                await device.computes()
            waiting = asks(batcher, rows(6, 7, 8))
            await asyncio.sleep(0)
            assert batcher.retry_s() == 6, "four images, 3 s for each two"
            device.gate.set()
            await asyncio.gather(*computed, *waiting)
            assert batcher.retry_s() == 1

    run(story())


def test_what_is_cancelled_is_not_computed() -> None:
    async def story() -> None:
        device, metrics = Device(shut=True), Metrics()
        batcher = Batcher(device, Limits(batch=2), metrics)
        async with batcher.running():
            computed = asks(batcher, rows(0))
            await device.computes()
            gone, stays = asks(batcher, rows(1, 2), rows(3))
            await asyncio.sleep(0)
            gone.cancel()
            device.gate.set()
            assert (await stays).item() == 4
            await asyncio.gather(*computed)
            assert batcher.lives
        assert device.asked == [("", 1), ("", 1)]
        assert metrics.registry.get_sample_value("gan_sweep_waiting_images") == 0

    run(story())


def test_an_error_is_of_its_batch_alone() -> None:
    async def story() -> None:
        batcher = Batcher(Device(), Limits(), Metrics())
        async with batcher.running():
            (bad,) = asks(batcher, rows(1), kind="bad")
            (full,) = asks(batcher, rows(1), kind="full")
            with pytest.raises(RuntimeError, match="bad"):
                await bad
            with pytest.raises(UnavailableError, match="the device has no memory left"):
                await full
            assert (await batcher.make("", rows(1))).item() == 2
        assert not batcher.lives

    run(story())
