"""The broker's protocol: leases, measurements, stops, dying gangs. The actor's class runs on one event loop."""

import asyncio
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from orchestrator.results.events import (
    Ended,
    GangUp,
    Interrupted,
    Opened,
    Started,
    Stopping,
    Submitted,
)
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.search.result import TrialResult
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import Lease, NoLease
from orchestrator.sweep.retry_queue import MAX_ATTEMPTS
from tests.orchestrator.sweep_helpers import epoch, events_of, proposal, run
from trainers.run_report import RunEnd


def test_a_trial_from_submit_to_end(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        waiting = asyncio.create_task(broker.lease(0))
        await broker.submit(proposal("0000", {"lr": 1}))
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
        events = events_of(directory)
        assert [type(event) for event in events] == [Opened, Submitted, GangUp, Started, Ended]
        assert events[-1].outcome == asdict(outcome) and events[-1].seconds == ended.seconds > 0
        assert ResultsStore(directory).read_trials()[0].last_fid == 80.0, "the log knows what the epochs add up to"

    run(story())


def test_a_cut_trial_ends_at_the_measurement_that_it_was_cut_for(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        result = asyncio.create_task(broker.next_result("0000"))
        measured = asyncio.create_task(broker.report("0000", epoch(2, fid=90.0), last=False))
        await result
        await broker.stop("0000", StopReason.OUTRANKED)
        assert await measured is StopReason.OUTRANKED
        await broker.end("0000", TrialOutcome(verdict=StopReason.OUTRANKED, epochs=2))
        await broker.stop("0000", Failure.ERROR)  # too late to matter
        assert [type(event) for event in events_of(directory)[-2:]] == [Stopping, Ended]
        assert events_of(directory)[-1].outcome == asdict(TrialOutcome(verdict=StopReason.OUTRANKED, epochs=2))

    run(story())


def test_a_gang_hears_why_its_trial_has_to_stop(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        await broker.close(StopReason.INTERRUPTED)
        await broker.stop("0000", StopReason.OUTRANKED)  # too late: the first reason stays
        assert await broker.report("0000", epoch(1), last=False) is StopReason.INTERRUPTED
        assert await broker.lease(0) is NoLease.SWEEP_OVER
        # The gang has come back without having ended it: it never will.
        (ended,) = events_of(directory, Ended)
        assert ended.outcome == asdict(TrialOutcome(verdict=StopReason.INTERRUPTED, epochs=1))

    run(story())


def test_a_waiting_trial_can_be_stopped(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.submit(proposal("0001"))
        await broker.stop("0000", StopReason.OUTRANKED)
        outcome = TrialOutcome(verdict=StopReason.OUTRANKED, epochs=0)
        assert await broker.next_result("0000") == TrialResult(epoch=0, outcome=outcome)
        assert await broker.lease(0) == Lease("0001", {})

    run(story())


def test_a_stopped_trial_whose_gang_has_died_keeps_what_it_has(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=True)
        await broker.abandon(0)  # gone for good: the trial waits for another gang
        await broker.halt(StopReason.OUT_OF_TIME)
        outcome = TrialOutcome(verdict=StopReason.OUT_OF_TIME, epochs=3, objective=80.0, best_epoch=3)
        assert await broker.settled(0) == 0
        (ended,) = events_of(directory, Ended)
        assert ended.outcome == asdict(outcome) and ended.seconds == (await broker.next_result("0000")).seconds

    run(story())


def test_a_gang_that_comes_back_with_fewer_ranks_says_so(directory: Path) -> None:
    async def story() -> None:
        for workers in (2, 1, 1, 2):
            broker = Broker(directory)  # one that was started again reads the log
            await broker.submit(proposal(f"000{workers}"))
            await broker.lease(0, workers, 2)
        assert [(event.workers, event.of) for event in events_of(directory, GangUp)] == [(2, 2), (1, 2), (2, 2)]

    run(story())


def test_an_interrupted_trial_comes_first_for_any_gang(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        for trial_id in ("0000", "0001", "0002"):
            await broker.submit(proposal(trial_id))
        assert await broker.lease(0) == Lease("0000", {})
        assert await broker.lease(1) == Lease("0001", {})
        # Gang 0 comes back from the dead without having ended its trial.
        assert await broker.lease(0) == Lease("0000", {})
        assert [event.gang for event in events_of(directory, GangUp)] == [0, 1]
        started = [(event.trial, event.attempt) for event in events_of(directory, Started)]
        assert started == [("0000", 1), ("0001", 1), ("0000", 2)]
        (interrupted,) = events_of(directory, Interrupted)
        assert (interrupted.trial, interrupted.attempts) == ("0000", 1)

    run(story())


def test_a_trial_whose_gang_was_asked_to_leave_comes_first_and_the_attempt_does_not_count(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        for trial_id in ("0000", "0001"):
            await broker.submit(proposal(trial_id))
        for _ in range(2 * MAX_ATTEMPTS):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.leave("0000")
            await broker.leave("0000")  # asked again by a broker's death
        interrupted = events_of(directory, Interrupted)
        assert {(event.why, event.attempts) for event in interrupted} == {("its workers were asked to leave", 0)}
        assert len(interrupted) == 2 * MAX_ATTEMPTS and not events_of(directory, Ended)
        assert await broker.lease(1) == Lease("0000", {})
        await broker.stop("0000", StopReason.OUTRANKED)
        await broker.leave("0000")
        (ended,) = events_of(directory, Ended)
        assert ended.outcome["verdict"] == "outranked"

    run(story())


def test_a_trial_that_kills_its_gang_is_given_up(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.submit(proposal("0001"))
        for _ in range(MAX_ATTEMPTS):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.report("0000", epoch(1), last=False)
        assert await broker.lease(0) == Lease("0001", {})
        (ended,) = events_of(directory, Ended)
        assert (ended.outcome["verdict"], ended.outcome["epochs"]) == ("lost", 1)
        assert ended.outcome["detail"] == "its workers died 3 times in a row without progress"

    run(story())


def test_attempts_that_wrote_a_checkpoint_do_not_count(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        for number in range(1, 4 * MAX_ATTEMPTS):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.report("0000", replace(epoch(number), checkpoint=number - number % 2), last=False)
        for _ in range(MAX_ATTEMPTS - 1):
            assert await broker.lease(0) == Lease("0000", {})
        assert not events_of(directory, Ended)

    run(story())


def test_nor_do_those_that_wrote_one_inside_an_epoch_for_another_broker_either(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        for _ in range(2 * MAX_ATTEMPTS):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.saved("0000")
            broker = Broker(directory)
        assert not events_of(directory, Ended)

    run(story())


@pytest.mark.parametrize("first", [5, 0], ids=["plain", "both_checkpoints_damaged"])
def test_a_checkpoint_at_a_repeated_epoch_is_progress_too(directory: Path, first: int) -> None:
    """Killed at epoch 10 with the checkpoint of epoch 5, or with none that is whole; then an epoch at a time."""

    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        for number in range(1, 11):
            await broker.report("0000", replace(epoch(number), checkpoint=min(number, 5)), last=False)
        for number in range(first, 10):
            assert await broker.lease(0) == Lease("0000", {})
            for reached in (number, number + 1):
                await broker.report("0000", replace(epoch(reached), checkpoint=reached), last=False)
        assert not events_of(directory, Ended)

    run(story())


def test_a_measurement_that_is_repeated_after_a_death_is_passed_on_once(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.DECISION_TIMEOUT_S", 0.01)

    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        for number in (1, 2, 1, 2, 3):
            await broker.report("0000", epoch(number, fid=90.0 - number), last=False)
        assert [(await broker.next_result("0000")).epoch for _ in range(3)] == [1, 2, 3]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(broker.next_result("0000"), 0.01)

    run(story())


def test_a_trainable_that_dies_takes_nothing_along(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        dead, alive = (asyncio.create_task(broker.next_result("0000")) for _ in range(2))
        await broker.end("0000", TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3))
        assert await dead == await alive
        outcome = (await alive).outcome
        assert outcome is not None and outcome.verdict == "completed"

    run(story())


def test_a_gang_that_is_gone_for_good_gives_its_trial_to_another(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        waiting = asyncio.create_task(broker.lease(1))
        await broker.abandon(0)
        assert await waiting == Lease("0000", {})

    run(story())


def test_without_tune_a_gang_goes_on(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.DECISION_TIMEOUT_S", 0.01)
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker(directory)
        assert await broker.lease(0) is NoLease.ASK_AGAIN
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        assert await broker.report("0000", epoch(1, fid=9.0), last=False) is None

    run(story())


# The end of a sweep: the best trials are measured again
