"""The broker at the end of a sweep: gangs train the best settings again."""

import asyncio
from dataclasses import replace
from pathlib import Path

from orchestrator.results.events import Opened
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, SweepStatus, TrialOutcome
from orchestrator.search.proposal import Proposal
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import ConfirmLease, Lease, NoLease
from tests.orchestrator.sweep_helpers import close, epoch, proposal, run
from trainers.run_report import RunEnd


def repeat(name: str) -> Proposal:
    return replace(proposal(name, {"seed": 7}), repeats=name[:4])


def outcome(verdict: str = RunEnd.COMPLETED, objective: float | None = 60.0) -> TrialOutcome:
    return TrialOutcome(verdict=verdict, epochs=4, objective=objective, best_epoch=4 if objective else None)


async def searched(broker: Broker) -> None:
    """A trial is over, and so is the search."""
    await broker.submit(proposal("0000"))
    await broker.lease(0)
    await broker.end("0000", outcome())
    await broker.halt(StopReason.OUTRANKED)


def test_repeats_go_to_all_gangs_and_are_measured(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await searched(broker)
        both = [repeat("0000s1"), repeat("0000s2")]
        waiting = asyncio.create_task(broker.lease(1))
        assert await broker.repeat(both, 2, 0) == (2, {})
        assert await waiting == Lease("0000s1", {"seed": 7})
        assert await broker.lease(0) == Lease("0000s2", {"seed": 7})
        # Nobody decides on a repeat: a measurement is not waited for, and no scheduler cuts it.
        report = epoch(2, fid=70.0, objective=70.0)
        assert await asyncio.wait_for(broker.report("0000s1", report, last=False), 5) is None
        await broker.end("0000s1", outcome())
        await broker.end("0000s2", outcome("d_collapse", None))
        assert await broker.repeat(both, 2, 0) == (1, {})
        assert await broker.lease(0) == ConfirmLease("0000s1", 2)
        await broker.confirmed("0000s1", [61.0, 63.0])
        assert await broker.repeat(both, 2, 0) == (0, {})
        (setting, *_) = ResultsStore(directory).read_trials()
        assert (setting.seeds.values, setting.seeds.failed, setting.seeds.asked) == ((62.0,), 1, 2)
        await broker.close(StopReason.OUTRANKED)
        assert await broker.lease(0) is NoLease.SWEEP_OVER

    run(story())


def test_another_gang_goes_on_when_its_own_dies(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await searched(broker)
        await broker.repeat([repeat("0000s1")], 2, 0)
        assert isinstance(await broker.lease(0), Lease)
        await broker.abandon(0)
        assert await broker.lease(1) == Lease("0000s1", {"seed": 7})
        # A broker that is started again has none of them until the driver asks: it does so twice a second.
        again = Broker(directory)
        assert await again.repeat([repeat("0000s1")], 2, 0) == (1, {})
        await again.end("0000s1", outcome())
        assert await again.repeat([repeat("0000s1")], 2, 0) == (1, {})
        assert await again.lease(1) == ConfirmLease("0000s1", 2)

    run(story())


def test_a_budget_ends_them_and_a_later_driver_goes_on(directory: Path) -> None:
    async def story() -> None:
        broker, store = Broker(directory), ResultsStore(directory)
        await searched(broker)
        both = [repeat("0000s1"), repeat("0000s2")]
        await broker.repeat(both, 2, 0)
        await broker.lease(0)
        await broker.halt(StopReason.OUT_OF_MONEY)
        assert await broker.report("0000s1", epoch(1), last=False) == StopReason.OUT_OF_MONEY
        await broker.end("0000s1", outcome(StopReason.OUT_OF_MONEY, None))
        await broker.close(StopReason.OUT_OF_MONEY)
        close(store, SweepStatus.OUT_OF_MONEY)
        driver = {"pid": 7, "process_started": 1.0, "host": "h", "version": "1"}
        store.append(Opened(at=300.0, session=2, trials=1, **driver))
        later = Broker(directory)
        await later.halt(StopReason.OUTRANKED)  # the search has nothing left; what rests is not ended by that
        assert await later.repeat(both, 2, 0) == (2, {})
        assert await later.lease(0) == Lease("0000s1", {"seed": 7}) and await later.lease(1) == Lease(
            "0000s2", {"seed": 7}
        )
        assert store.read_state().trials["0000s1"].open
        for name in ("0000s1", "0000s2"):
            assert await later.report(name, epoch(2), last=False) is None

    run(story())
