"""What becomes of the work of a gang whose ranks have died. The broker's class runs on one event loop."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.results.events import GangDown, GangUp, Interrupted, Started
from orchestrator.results.lines import LineWriter
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from orchestrator.sweep import pulses
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import Lease, NoLease
from tests.orchestrator.sweep_helpers import epoch, events_of, proposal, run
from trainers.run_report import RunEnd


def test_another_gang_takes_the_trial_of_one_that_stays_away(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        await broker.died(0, "", blameless=False)
        other = asyncio.create_task(broker.lease(1))
        await asyncio.sleep(0)
        assert not other.done(), "gang 0 may come back"
        monkeypatch.setattr(pulses, "GONE_S", 0.0)
        assert await broker.lease(2) == Lease("0000", {})
        assert await broker.hung(0.0) == ([2], [])
        other.cancel()

    run(story())
    (interrupted,) = events_of(directory, Interrupted)
    assert (interrupted.trial, interrupted.why, interrupted.attempts) == ("0000", "its workers died", 1)


def test_a_new_broker_knows_which_gangs_are_gone(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        before = Broker(directory)
        await before.submit(proposal("0000"))
        await before.lease(0)
        await before.died(0, "", blameless=False)
        monkeypatch.setattr(pulses, "GONE_S", 0.0)
        assert await Broker(directory).lease(1) == Lease("0000", {})

    run(story())


def test_a_dead_gang_holds_no_devices(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        for _ in range(2):
            await broker.lease(0)
            await broker.died(0, "", blameless=False)
            await broker.died(0, "", blameless=False)

    run(story())
    gangs = [type(event) for event in events_of(directory) if isinstance(event, GangUp | GangDown)]
    assert gangs == [GangUp, GangDown] * 2


def test_what_a_dead_rank_asked_for_is_void(directory: Path) -> None:
    """Its call waits in the broker although nobody will hear the answer."""

    async def story() -> None:
        broker = Broker(directory)
        dead = asyncio.create_task(broker.lease(0))
        await asyncio.sleep(0)
        await broker.died(0, "", blameless=False)
        await broker.submit(proposal("0000"))
        assert await dead is NoLease.ASK_AGAIN
        assert await broker.lease(0) == Lease("0000", {})

    run(story())
    (started,) = events_of(directory, Started)
    assert started.attempt == 1


def test_an_end_that_is_not_written_has_not_happened(directory: Path) -> None:
    """Neither for Tune: else the sampler would know a result that the log lacks."""

    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        await broker.report("0000", epoch(1), last=True)
        broker._log._lines = LineWriter(Path("/dev/full"))
        told = asyncio.create_task(broker.next_result("0000"))
        await broker.end("0000", TrialOutcome(verdict=RunEnd.COMPLETED, epochs=1))
        await asyncio.sleep(0)
        assert not told.done() and await broker.where_full() == "/dev/full"
        told.cancel()

    run(story())
    assert [trial.trial_id for trial in ResultsStore(directory).read_state().open_trials()] == ["0000"]
