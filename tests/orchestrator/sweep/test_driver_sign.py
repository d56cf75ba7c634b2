"""Gangs whose driver gives no sign any more."""

from pathlib import Path

from orchestrator.results.events import Halting
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.driver_sign import DriverSign
from orchestrator.sweep.messages import Lease, NoLease
from tests.orchestrator.sweep_helpers import epoch, events_of, proposal, run


def test_gangs_leave_when_their_driver_gives_no_sign_for_long(directory: Path) -> None:
    async def story() -> None:
        broker, now = Broker(directory), 0.0
        broker._driver = DriverSign(900, lambda: now)
        await broker.submit(proposal("0000"))
        await broker.submit(proposal("0001"))
        assert isinstance(await broker.lease(0), Lease)
        now = 900.0
        assert await broker.report("0000", epoch(1), last=False) is None
        await broker.hung(None)  # which its watchdog asks
        now = 1800.0
        assert await broker.report("0000", epoch(2), last=False) is None
        now = 1801.0
        assert await broker.report("0000", epoch(3), last=False) is StopReason.INTERRUPTED
        await broker.end("0000", TrialOutcome(verdict=StopReason.INTERRUPTED, epochs=3))
        assert await broker.lease(0) is await broker.lease(1) is NoLease.SWEEP_OVER
        (halting,) = (event for event in events_of(directory) if isinstance(event, Halting))
        assert halting.gangs_exit and halting.reason == StopReason.INTERRUPTED

    run(story())


def test_a_driver_may_be_silent_for_ever_where_nothing_is_billed(directory: Path) -> None:
    async def story() -> None:
        broker, now = Broker(directory), 0.0
        broker._driver = DriverSign(None, lambda: now)
        now = 1e9
        await broker.submit(proposal("0000"))
        assert isinstance(await broker.lease(0), Lease)

    run(story())
