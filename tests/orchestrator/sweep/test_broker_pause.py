"""Trials that wait at a rung: what gang, driver and log see, and that nobody's death loses one."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.results.events import Closed, Ended, Paused, Promoted, Started
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State, StopReason, SweepStatus, TrialOutcome
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import Hold, Lease, NoLease
from tests.orchestrator.sweep_helpers import epoch, events_of, proposal, run


async def measured(broker: Broker, trial: str, at: int, fid: float) -> asyncio.Task[object]:
    """A gang's report that waits for Tune's decision, which has the measurement by now."""
    result = asyncio.create_task(broker.next_result(trial))
    report = asyncio.create_task(broker.report(trial, epoch(at, fid=fid), last=False))
    await result
    return report


async def has_to_pause(broker: Broker) -> None:
    """Gang 0 trains trial 0000, and hears of it at its next report."""
    await broker.submit(proposal("0000"))
    await broker.lease(0)
    await broker.report("0000", epoch(1), last=False)
    await broker.pause("0000")


async def paused_at_epoch_2(broker: Broker, trial: str = "0000", gang: int = 0) -> None:
    await broker.submit(proposal(trial))
    assert await broker.lease(gang) == Lease(trial, {})
    report = await measured(broker, trial, 2, 90.0)
    await broker.pause(trial)
    assert await report is Hold.PAUSE
    await broker.paused(trial, gang)


def test_a_paused_trial_leaves_its_gang_and_comes_again_when_it_is_promoted(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await paused_at_epoch_2(broker)
        assert await broker.settled(0) == 0
        (record,) = ResultsStore(directory).read_trials()
        assert (record.state, record.open, record.over) == (State.PAUSED, True, False)
        await broker.submit(proposal("0001"))
        assert await broker.lease(0) == Lease("0001", {}), "its gang takes another"
        for _ in range(2):  # a message that Ray sends again changes nothing
            await broker.promote("0000")
        lease = await broker.lease(1)
        assert lease == Lease("0000", {}) and isinstance(lease, Lease) and lease.begun
        assert [type(event) for event in events_of(directory, Started, Paused, Promoted)] == [
            Started,
            Paused,
            Started,
            Promoted,
            Started,
        ]
        assert await broker.report("0000", epoch(2, fid=90.0), last=False) is None, "the checkpoint's own epoch"
        report = await measured(broker, "0000", 3, 80.0)
        following = asyncio.create_task(broker.next_result("0000"))
        assert await report is None
        await broker.end("0000", TrialOutcome(verdict="completed", epochs=4))
        result = await following
        assert result.outcome is not None and result.outcome.verdict == "completed"

    run(story())


def test_a_trial_that_is_promoted_before_its_gang_has_left_it(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        report = await measured(broker, "0000", 2, 90.0)
        await broker.pause("0000")
        await broker.promote("0000")
        assert await report in (None, Hold.PAUSE)
        await broker.pause("0000")
        assert await broker.report("0000", epoch(3), last=False) is Hold.PAUSE
        await broker.promote("0000")  # now the gang writes its checkpoint
        await broker.paused("0000", 0)
        assert await broker.lease(0) == Lease("0000", {}), "it waits for a gang at once"

    run(story())


@pytest.mark.parametrize("reason", [StopReason.OUTRANKED, StopReason.OUT_OF_TIME])
def test_the_end_of_a_sweep_is_that_of_paused_trials(directory: Path, reason: StopReason) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await paused_at_epoch_2(broker)
        await broker.halt(reason)
        await broker.promote("0000")
        assert not events_of(directory, Promoted, Ended), "it is too late, and they end by the sweep's last line"
        status = SweepStatus.FINISHED if reason is StopReason.OUTRANKED else SweepStatus.OUT_OF_TIME
        store = ResultsStore(directory)
        store.append(Closed(at=9e9, session=1, status=status, ended=9e9))
        (record,) = store.read_trials()
        assert (record.verdict, record.state is State.PRUNED) == (reason, reason is StopReason.OUTRANKED)

    run(story())


def test_a_gang_that_leaves_a_trial_as_the_sweep_ends(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await has_to_pause(broker)
        assert await broker.report("0000", epoch(2), last=False) is Hold.PAUSE
        await broker.close(StopReason.INTERRUPTED)
        await broker.paused("0000", 0)
        (ended,) = events_of(directory, Ended)
        assert ended.outcome["verdict"] == StopReason.INTERRUPTED
        assert await broker.lease(0) is NoLease.SWEEP_OVER

    run(story())


def test_a_message_that_comes_again_from_an_earlier_gang_changes_nothing(directory: Path) -> None:
    async def story() -> None:
        await paused_at_epoch_2(Broker(directory))
        broker = Broker(directory)  # it died after it had written that, and before it answered
        await broker.promote("0000")
        assert await broker.lease(1) == Lease("0000", {})
        await broker.paused("0000", 0)
        assert len(events_of(directory, Paused)) == 1
        assert await broker.settled(0) == 1, "gang 1 has it"

    run(story())


def test_a_broker_that_is_started_again_knows_who_has_to_pause(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await has_to_pause(broker)
        broker = Broker(directory)
        assert await broker.report("0000", epoch(2), last=False) is Hold.PAUSE
        broker = Broker(directory)  # while the checkpoint is written
        await broker.paused("0000", 0)
        assert not events_of(directory, Promoted)
        (record,) = ResultsStore(directory).read_trials()
        assert record.state is State.PAUSED

    run(story())


def test_a_gang_that_dies_when_its_trial_has_to_pause(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await has_to_pause(broker)
        await broker.submit(proposal("0001"))
        assert await broker.lease(0) == Lease("0001", {}), "it has come back from the dead, and takes another"
        await broker.submit(proposal("0002"))
        await broker.promote("0000")
        assert await broker.lease(1) == Lease("0000", {}), "before a new one"

    run(story())


def test_time_that_a_trial_waits_is_not_its_own(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await paused_at_epoch_2(broker)
        (record,) = ResultsStore(directory).read_trials()
        assert record.running_seconds(1e12) == record.seconds < 1e6

    run(story())
