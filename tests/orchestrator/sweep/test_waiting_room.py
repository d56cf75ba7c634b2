"""Whom the broker wakes when there is work."""

import asyncio
from pathlib import Path

from orchestrator.results.verdict import StopReason
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import Lease, NoLease
from tests.orchestrator.sweep_helpers import proposal, run


def test_a_trial_wakes_one_gang_and_the_end_all(directory: Path) -> None:
    """With 1,000 gangs waiting, to wake all of them took 5 ms for every trial."""

    async def story() -> None:
        broker, asked = Broker(directory), list[int]()
        broker._has_work_or_end = lambda: asked.append(1) or Broker._has_work_or_end(broker)  # type: ignore[method-assign]
        leases = [asyncio.create_task(broker.lease(gang)) for gang in range(100)]
        while len(asked) < 100:
            await asyncio.sleep(0)
        asked.clear()
        for name in ("0000", "0001"):
            await broker.submit(proposal(name))
        while sum(lease.done() for lease in leases) < 2:
            await asyncio.sleep(0)
        assert len(asked) <= 6
        await broker.close(StopReason.OUT_OF_TIME)
        answers = await asyncio.gather(*leases)
        assert answers.count(NoLease.SWEEP_OVER) == 98

    run(story())


def test_a_gang_that_is_woken_in_vain_passes_it_on(directory: Path) -> None:
    """A rank of the first one that waits has died: its call takes nothing."""

    async def story() -> None:
        broker = Broker(directory)
        dead = asyncio.create_task(broker.lease(0))
        await asyncio.sleep(0.05)
        other = asyncio.create_task(broker.lease(1))
        await asyncio.sleep(0.05)
        await broker.died(0, "", blameless=False)
        await broker.submit(proposal("0000"))
        assert await dead is NoLease.ASK_AGAIN
        assert await other == Lease("0000", {})

    run(story())
