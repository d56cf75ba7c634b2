"""The broker's protocol: leases, measurements, stops, dying gangs. The actor's class runs on one event loop."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.search.result import TrialResult
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import Confirmed, ConfirmLease, Ended, GangUp, Lease, NoLease, Progressed, Started
from orchestrator.sweep.retry_queue import MAX_ATTEMPTS
from tests.orchestrator.sweep_helpers import epoch
from trainers.run_report import RunEnd


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def test_a_trial_from_submit_to_end() -> None:
    async def story() -> None:
        broker = Broker()
        waiting = asyncio.create_task(broker.lease(0))
        await broker.submit("0000", {"lr": 1})
        assert await waiting == Lease("0000", {"lr": 1})
        assert await broker.report("0000", epoch(1), last=False) is None
        result = asyncio.create_task(broker.next_result("0000"))
        measured = asyncio.create_task(broker.report("0000", epoch(2, fid=90.0), last=False))
        assert await result == TrialResult(epoch=2, measurement=epoch(2, fid=90.0).measurement)
        assert not measured.done()  # the gang waits for Tune
        final = asyncio.create_task(broker.next_result("0000"))
        assert await measured is None
        assert await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=True) is None
        outcome = TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3, objective=80.0, best_epoch=3)
        await broker.end("0000", outcome)
        ended = await final
        assert ended == TrialResult(
            epoch=3, measurement=epoch(3, fid=80.0).measurement, outcome=outcome, seconds=ended.seconds
        )
        assert await broker.next_result("0000") == ended  # a restarted trainable asks again
        events = await broker.events(0)
        assert [type(event) for event in events] == [GangUp, Started, Progressed, Progressed, Progressed, Ended]
        assert events[-1] == Ended("0000", outcome, ended.seconds) and ended.seconds > 0

    run(story())


def test_a_cut_trial_ends_at_the_measurement_that_it_was_cut_for() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        result = asyncio.create_task(broker.next_result("0000"))
        measured = asyncio.create_task(broker.report("0000", epoch(2, fid=90.0), last=False))
        await result
        await broker.stop("0000", StopReason.OUTRANKED)
        assert await measured is StopReason.OUTRANKED
        await broker.end("0000", TrialOutcome(verdict=StopReason.OUTRANKED, epochs=2))
        await broker.stop("0000", Failure.ERROR)  # too late to matter
        last = (await broker.events(0))[-1]
        assert isinstance(last, Ended) and last.outcome == TrialOutcome(verdict=StopReason.OUTRANKED, epochs=2)

    run(story())


def test_a_gang_hears_why_its_trial_has_to_stop() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        await broker.close(StopReason.INTERRUPTED)
        await broker.stop("0000", StopReason.OUTRANKED)  # too late: the first reason stays
        assert await broker.report("0000", epoch(1), last=False) is StopReason.INTERRUPTED
        assert await broker.lease(0) is NoLease.SWEEP_OVER
        # The gang has come back without having ended it: it never will.
        (ended,) = [event for event in await broker.events(0) if isinstance(event, Ended)]
        assert ended.outcome == TrialOutcome(verdict=StopReason.INTERRUPTED, epochs=1)

    run(story())


def test_a_waiting_trial_can_be_stopped() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.submit("0001", {})
        await broker.stop("0000", StopReason.OUTRANKED)
        outcome = TrialOutcome(verdict=StopReason.OUTRANKED, epochs=0)
        assert await broker.next_result("0000") == TrialResult(epoch=0, outcome=outcome)
        assert await broker.lease(0) == Lease("0001", {})

    run(story())


def test_a_stopped_trial_whose_gang_has_died_keeps_what_it_has() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=True)
        await broker.abandon(0)  # gone for good: the trial waits for another gang
        await broker.halt(StopReason.OUT_OF_TIME)
        outcome = TrialOutcome(verdict=StopReason.OUT_OF_TIME, epochs=3, objective=80.0, best_epoch=3)
        assert (await broker.outcomes(0)) == (0, {"0000": outcome})
        (ended,) = [event for event in await broker.events(0) if isinstance(event, Ended)]
        assert ended.outcome == outcome and ended.seconds == (await broker.next_result("0000")).seconds

    run(story())


def test_an_interrupted_trial_comes_first_for_any_gang() -> None:
    async def story() -> None:
        broker = Broker()
        for trial_id in ("0000", "0001", "0002"):
            await broker.submit(trial_id, {})
        assert await broker.lease(0) == Lease("0000", {})
        assert await broker.lease(1) == Lease("0001", {})
        # Gang 0 comes back from the dead without having ended its trial.
        assert await broker.lease(0) == Lease("0000", {})
        events = await broker.events(0)
        assert [event for event in events if isinstance(event, GangUp)] == [GangUp(0), GangUp(1)]
        started = [event for event in events if isinstance(event, Started)]
        assert [(event.trial_id, event.attempt) for event in started] == [("0000", 1), ("0001", 1), ("0000", 2)]

    run(story())


def test_a_trial_that_kills_its_gang_is_given_up() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.submit("0001", {})
        for _ in range(MAX_ATTEMPTS):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.report("0000", epoch(1), last=False)
        assert await broker.lease(0) == Lease("0001", {})
        ended = next(event for event in await broker.events(0) if isinstance(event, Ended))
        assert ended.outcome.verdict is Failure.LOST
        assert ended.outcome.epochs == 1
        assert ended.outcome.detail == "its workers died 3 times in a row without progress"

    run(story())


def test_attempts_that_wrote_a_checkpoint_do_not_count() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        for number in range(1, 4 * MAX_ATTEMPTS):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.report("0000", replace(epoch(number), checkpoint=number - number % 2), last=False)
        for _ in range(MAX_ATTEMPTS - 1):
            assert await broker.lease(0) == Lease("0000", {})
        assert not [event for event in await broker.events(0) if isinstance(event, Ended)]

    run(story())


@pytest.mark.parametrize("first", [5, 0], ids=["plain", "both_checkpoints_damaged"])
def test_a_checkpoint_at_a_repeated_epoch_is_progress_too(first: int) -> None:
    """Killed at epoch 10 with the checkpoint of epoch 5, or with none that is whole; then an epoch at a time."""

    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        for number in range(1, 11):
            await broker.report("0000", replace(epoch(number), checkpoint=min(number, 5)), last=False)
        for number in range(first, 10):
            assert await broker.lease(0) == Lease("0000", {})
            for reached in (number, number + 1):
                await broker.report("0000", replace(epoch(reached), checkpoint=reached), last=False)
        assert not [event for event in await broker.events(0) if isinstance(event, Ended)]

    run(story())


def test_an_epoch_that_is_repeated_after_a_death_is_passed_on_once() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        for number in (1, 2, 1, 2, 3):
            await broker.report("0000", epoch(number), last=False)
        passed = [event.report.epoch for event in await broker.events(0) if isinstance(event, Progressed)]
        assert passed == [1, 2, 3]

    run(story())


def test_a_trainable_that_dies_takes_nothing_along() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        dead, alive = (asyncio.create_task(broker.next_result("0000")) for _ in range(2))
        await broker.end("0000", TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3))
        assert await dead == await alive
        outcome = (await alive).outcome
        assert outcome is not None and outcome.verdict == "completed"

    run(story())


def test_a_gang_that_is_gone_for_good_gives_its_trial_to_another() -> None:
    async def story() -> None:
        broker = Broker()
        await broker.submit("0000", {})
        await broker.lease(0)
        waiting = asyncio.create_task(broker.lease(1))
        await broker.abandon(0)
        assert await waiting == Lease("0000", {})

    run(story())


def test_without_tune_a_gang_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.DECISION_TIMEOUT_S", 0.01)
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker()
        assert await broker.lease(0) is NoLease.ASK_AGAIN
        await broker.submit("0000", {})
        await broker.lease(0)
        assert await broker.report("0000", epoch(1, fid=9.0), last=False) is None

    run(story())


# The end of a sweep: the best trials are measured again


async def completed(broker: Broker, *objectives: float) -> None:
    """Trials 0000, 0001, ... trained by gang 9."""
    for number, objective in enumerate(objectives):
        await broker.submit(f"{number:04d}", {})
        assert await broker.lease(9) == Lease(f"{number:04d}", {})
        outcome = TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3, objective=objective, best_epoch=3)
        await broker.end(f"{number:04d}", outcome)


def test_gangs_measure_finished_trials_again() -> None:
    async def story() -> None:
        broker = Broker()
        await completed(broker, 80.0, 70.0)
        running, outcomes = await broker.outcomes(30)
        assert (running, {name: outcome.objective for name, outcome in outcomes.items()}) == (
            0,
            {"0000": 80.0, "0001": 70.0},
        )
        waiting = asyncio.create_task(broker.lease(0))
        await broker.confirm(["0001", "0000"], 2)
        assert await waiting == ConfirmLease("0001", 2)
        assert await broker.lease(1) == ConfirmLease("0000", 2)
        await broker.events(0)
        await broker.confirmed("0001", [71.0, 72.0])
        assert await broker.confirming(0) == (1, {})
        over = asyncio.create_task(broker.confirming(30))
        await broker.confirmed("0000", [], failure="no checkpoint")
        assert await over == (0, {"0000": "no checkpoint"})
        assert await broker.events(0) == [Confirmed("0001", (71.0, 72.0))]
        await broker.close(StopReason.OUTRANKED)
        assert await broker.lease(0) is NoLease.SWEEP_OVER

    run(story())


def test_a_measurement_goes_to_another_gang_when_its_own_dies() -> None:
    async def story() -> None:
        broker = Broker()
        await completed(broker, 80.0)
        await broker.confirm(["0000"], 3)
        assert await broker.lease(0) == ConfirmLease("0000", 3)
        waiting = asyncio.create_task(broker.lease(1))
        await broker.abandon(0)  # gone for good
        assert await waiting == ConfirmLease("0000", 3)
        assert await broker.lease(1) == ConfirmLease("0000", 3)  # restarted: the same gang asks again
        await broker.events(0)
        await broker.confirmed("0000", [81.0])
        await broker.confirmed("0000", [99.0])  # by a gang that was taken for dead
        assert await broker.confirming(0) == (0, {})
        assert await broker.events(0) == [Confirmed("0000", (81.0,))]

    run(story())


def test_a_measurement_that_kills_its_gangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker()
        await completed(broker, 80.0, 70.0)
        await broker.confirm(["0001", "0000"], 1)
        for _ in range(MAX_ATTEMPTS):
            assert await broker.lease(0) == ConfirmLease("0001", 1)
            await broker.complain("0001", "OutOfMemoryError: too much")
        assert await broker.lease(0) == ConfirmLease("0000", 1)
        await broker.confirmed("0000", [81.0])
        assert await broker.lease(0) is NoLease.ASK_AGAIN
        why = "its workers died 3 times in a row without progress, last: OutOfMemoryError: too much"
        assert await broker.confirming(30) == (0, {"0001": why})

    run(story())


def test_a_halt_ends_the_trials_and_keeps_the_gangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a budget is used up, running trials end at their next report, none starts, the best are measured again."""
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker()
        for trial_id in ("0000", "0001"):
            await broker.submit(trial_id, {})
        await broker.lease(0)
        await broker.halt(StopReason.OUT_OF_TIME)
        await broker.submit("0002", {})  # Tune has not noticed yet
        assert await broker.lease(1) is NoLease.ASK_AGAIN
        over = asyncio.create_task(broker.outcomes(30))
        assert await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=False) is StopReason.OUT_OF_TIME
        assert not over.done()  # the gang still has it
        await broker.end("0000", TrialOutcome(verdict=StopReason.OUT_OF_TIME, epochs=3, objective=80.0, best_epoch=3))
        running, outcomes = await over
        assert running == 0 and outcomes["0000"].verdict is StopReason.OUT_OF_TIME
        await broker.confirm(["0000"], 1)
        assert await broker.lease(1) == ConfirmLease("0000", 1)

    run(story())


def test_closing_ends_measurements_too() -> None:
    async def story() -> None:
        broker = Broker()
        await completed(broker, 80.0, 70.0)
        await broker.confirm(["0001", "0000"], 1)
        await broker.lease(0)
        await broker.close(StopReason.INTERRUPTED)
        assert await broker.lease(1) is NoLease.SWEEP_OVER
        assert await broker.confirming(0) == (2, {})

    run(story())
