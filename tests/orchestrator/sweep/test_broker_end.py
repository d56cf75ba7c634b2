"""The broker at the end of a sweep: finished trials are measured again, and gangs exit."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.results.events import (
    Confirmed,
)
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import ConfirmLease, Lease, NoLease
from orchestrator.sweep.retry_queue import MAX_ATTEMPTS
from tests.orchestrator.sweep_helpers import epoch, events_of, proposal, run
from trainers.run_report import RunEnd


async def completed(broker: Broker, *objectives: float) -> None:
    """Trials 0000, 0001, ... trained by gang 9."""
    for number, objective in enumerate(objectives):
        await broker.submit(proposal(f"{number:04d}"))
        assert await broker.lease(9) == Lease(f"{number:04d}", {})
        outcome = TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3, objective=objective, best_epoch=3)
        await broker.end(f"{number:04d}", outcome)


def test_gangs_measure_finished_trials_again(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await completed(broker, 80.0, 70.0)
        assert await broker.settled(30) == 0
        waiting = asyncio.create_task(broker.lease(0))
        best = ["0001", "0000"]
        assert await broker.measure_again(best, 2, 0) == (2, {})
        assert await waiting == ConfirmLease("0001", 2)
        assert await broker.lease(1) == ConfirmLease("0000", 2)
        await broker.confirmed("0001", [71.0, 72.0])
        assert await broker.measure_again(best, 2, 0) == (1, {})
        over = asyncio.create_task(broker.measure_again(best, 2, 30))
        await broker.confirmed("0000", [], failure="no checkpoint")
        assert await over == (0, {"0000": "no checkpoint"})
        assert await broker.measure_again(best, 2, 0) == (0, {"0000": "no checkpoint"}), "nothing is queued again"
        assert [(event.trial, event.values) for event in events_of(directory, Confirmed)] == [("0001", [71.0, 72.0])]
        await broker.close(StopReason.OUTRANKED)
        assert await broker.lease(0) is NoLease.SWEEP_OVER

    run(story())


def test_a_measurement_goes_to_another_gang_when_its_own_dies(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await completed(broker, 80.0)
        await broker.measure_again(["0000"], 3, 0)
        assert await broker.lease(0) == ConfirmLease("0000", 3)
        waiting = asyncio.create_task(broker.lease(1))
        await broker.abandon(0)  # gone for good
        assert await waiting == ConfirmLease("0000", 3)
        assert await broker.lease(1) == ConfirmLease("0000", 3)  # restarted: the same gang asks again
        await broker.confirmed("0000", [81.0])
        await broker.confirmed("0000", [99.0])  # by a gang that was taken for dead
        assert await broker.measure_again(["0000"], 3, 0) == (0, {})
        assert [event.values for event in events_of(directory, Confirmed)] == [[81.0]]

    run(story())


def test_a_measurement_that_kills_its_gangs_is_given_up(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker(directory)
        await completed(broker, 80.0, 70.0)
        await broker.measure_again(["0001", "0000"], 1, 0)
        for _ in range(MAX_ATTEMPTS):
            assert await broker.lease(0) == ConfirmLease("0001", 1)
            await broker.complain("0001", "OutOfMemoryError: too much")
        assert await broker.lease(0) == ConfirmLease("0000", 1)
        await broker.confirmed("0000", [81.0])
        assert await broker.lease(0) is NoLease.ASK_AGAIN
        why = "its workers died 3 times in a row without progress, last: OutOfMemoryError: too much"
        assert await broker.measure_again(["0001", "0000"], 1, 30) == (0, {"0001": why})

    run(story())


def test_a_halt_ends_the_trials_and_keeps_the_gangs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a budget is used up, running trials end at their next report, none starts, the best are measured again."""
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker(directory)
        for trial_id in ("0000", "0001"):
            await broker.submit(proposal(trial_id))
        await broker.lease(0)
        await broker.halt(StopReason.OUT_OF_TIME)
        await broker.submit(proposal("0002"))  # Tune has not noticed yet
        assert await broker.lease(1) is NoLease.ASK_AGAIN
        over = asyncio.create_task(broker.settled(30))
        assert await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=False) is StopReason.OUT_OF_TIME
        assert not over.done()  # the gang still has it
        await broker.end("0000", TrialOutcome(verdict=StopReason.OUT_OF_TIME, epochs=3, objective=80.0, best_epoch=3))
        assert await over == 0
        state = ResultsStore(directory).read_state()
        assert state.trials["0000"].verdict == "out_of_time"
        assert list(state.waiting) == ["0001", "0002"], "a later driver has them"
        await broker.measure_again(["0000"], 1, 0)
        assert await broker.lease(1) == ConfirmLease("0000", 1)

    run(story())


def test_closing_ends_measurements_too(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await completed(broker, 80.0, 70.0)
        await broker.measure_again(["0001", "0000"], 1, 0)
        await broker.lease(0)
        await broker.close(StopReason.INTERRUPTED)
        assert await broker.lease(1) is NoLease.SWEEP_OVER
        assert await broker.measure_again(["0001", "0000"], 1, 0) == (2, {})

    run(story())
