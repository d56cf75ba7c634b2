"""The broker's protocol: leases, rungs, stops, gangs that die. The actor's own class, driven on one event loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from orchestrator.search.result import WORST_FID
from orchestrator.sweep.broker import MAX_RETRIES, Broker
from orchestrator.sweep.messages import Confirmed, Ended, Joined, Lease, Lull, Progressed, Remeasure, Started
from orchestrator.sweep.retry_queue import MAX_ATTEMPTS
from trainers.run_report import Decision, EpochReport, Outcome, Verdict

METRIC = "fid_test_n2"


def epoch(
    number: int,
    fid: float | None = None,
    objective: float | None = None,
    n_fake: int = 2,
    metrics: dict[str, float] | None = None,
) -> EpochReport:
    return EpochReport(
        epoch=number,
        images_seen=number,
        metrics=metrics or {},
        fid=fid,
        n_fake=None if fid is None else n_fake,
        fid_name=None if fid is None else f"fid_test_n{n_fake}",
        objective=objective,
        best_epoch=None if objective is None else number,
        samples=None,
        started=0.0,
        trained=0.0,
        ended=0.0,
    )


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def test_a_trial_from_submit_to_end() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        waiting = asyncio.create_task(broker.lease(0))
        await broker.submit("0000", {"lr": 1})
        assert await waiting == Lease("0000", {"lr": 1})
        assert await broker.report("0000", epoch(1), last=False) is Decision.CONTINUE
        result = asyncio.create_task(broker.next_result("0000"))
        rung = asyncio.create_task(broker.report("0000", epoch(2, fid=90.0), last=False))
        assert await result == {"epoch": 2, METRIC: 90.0}
        assert not rung.done()  # the gang waits for Tune
        final = asyncio.create_task(broker.next_result("0000"))
        assert await rung is Decision.CONTINUE
        assert await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=True) is Decision.CONTINUE
        await broker.end("0000", Outcome(verdict=Verdict.COMPLETED, epochs=3, objective=80.0, best_epoch=3))
        done = {"epoch": 3, METRIC: 80.0, "done": True, "verdict": "completed", "objective": 80.0}
        ended = await final
        assert ended.pop("seconds") >= 0
        assert ended == done
        assert await broker.next_result("0000") == done  # a restarted relay asks again
        kinds = [type(event) for event in await broker.events(0)]
        assert kinds == [Joined, Started, Progressed, Progressed, Progressed, Ended]

    run(story())


def test_a_cut_trial_ends_at_its_rung() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await broker.submit("0000", {})
        await broker.lease(0)
        result = asyncio.create_task(broker.next_result("0000"))
        rung = asyncio.create_task(broker.report("0000", epoch(2, fid=90.0), last=False))
        await result
        await broker.stop("0000", Verdict.OUTRANKED)
        assert await rung is Decision.STOP
        await broker.end("0000", Outcome(verdict=Verdict.OUTRANKED, epochs=2))
        await broker.stop("0000", Verdict.ERROR)  # too late to matter
        assert (await broker.events(0))[-1] == Ended("0000", Outcome(verdict=Verdict.OUTRANKED, epochs=2))

    run(story())


def test_the_reason_of_a_stop_is_the_verdict() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await broker.submit("0000", {})
        await broker.lease(0)
        await broker.close(Verdict.INTERRUPTED)
        assert await broker.report("0000", epoch(1), last=False) is Decision.STOP
        await broker.end("0000", Outcome(verdict=Verdict.OUTRANKED, epochs=1))
        assert (await broker.next_result("0000"))["verdict"] == "interrupted"
        assert await broker.lease(0) is Lull.CLOSED

    run(story())


def test_a_waiting_trial_can_be_stopped() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await broker.submit("0000", {})
        await broker.submit("0001", {})
        await broker.stop("0000", Verdict.OUTRANKED)
        result = await broker.next_result("0000")
        assert (result["done"], result[METRIC], result["epoch"]) == (True, WORST_FID, 0)
        assert await broker.lease(0) == Lease("0001", {})

    run(story())


def test_an_interrupted_trial_comes_first_for_any_gang() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        for trial_id in ("0000", "0001", "0002"):
            await broker.submit(trial_id, {})
        assert await broker.lease(0) == Lease("0000", {})
        assert await broker.lease(1) == Lease("0001", {})
        # Gang 0 comes back from the dead without having ended its trial.
        assert await broker.lease(0) == Lease("0000", {})
        events = await broker.events(0)
        assert [event for event in events if isinstance(event, Joined)] == [Joined(0), Joined(1)]
        started = [event for event in events if isinstance(event, Started)]
        assert [(event.trial_id, event.attempt) for event in started] == [("0000", 1), ("0001", 1), ("0000", 2)]

    run(story())


def test_a_trial_that_kills_its_gang_is_given_up() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await broker.submit("0000", {})
        await broker.submit("0001", {})
        for _ in range(MAX_RETRIES + 1):
            assert await broker.lease(0) == Lease("0000", {})
            await broker.report("0000", epoch(1), last=False)
        assert await broker.lease(0) == Lease("0001", {})
        ended = next(event for event in await broker.events(0) if isinstance(event, Ended))
        assert ended.outcome.verdict is Verdict.LOST
        assert ended.outcome.epochs == 1
        assert "died 3 times" in ended.outcome.detail

    run(story())


def test_a_relay_that_dies_takes_nothing_along() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await broker.submit("0000", {})
        await broker.lease(0)
        dead, alive = (asyncio.create_task(broker.next_result("0000")) for _ in range(2))
        await broker.end("0000", Outcome(verdict=Verdict.COMPLETED, epochs=3))
        assert await dead == await alive
        assert (await alive)["verdict"] == "completed"

    run(story())


def test_a_gang_that_is_gone_for_good_gives_its_trial_to_another() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
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
        broker = Broker(METRIC)
        assert await broker.lease(0) is Lull.IDLE
        await broker.submit("0000", {})
        await broker.lease(0)
        assert await broker.report("0000", epoch(1, fid=9.0), last=False) is Decision.CONTINUE

    run(story())


# The end of a sweep: the best trials are measured again


async def completed(broker: Broker, *objectives: float) -> None:
    """Trials 0000, 0001, ... trained by gang 9."""
    for number, objective in enumerate(objectives):
        await broker.submit(f"{number:04d}", {})
        assert await broker.lease(9) == Lease(f"{number:04d}", {})
        outcome = Outcome(verdict=Verdict.COMPLETED, epochs=3, objective=objective, best_epoch=3)
        await broker.end(f"{number:04d}", outcome)


def test_gangs_measure_finished_trials_again() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await completed(broker, 80.0, 70.0)
        running, outcomes = await broker.outcomes(30)
        assert (running, {name: outcome.objective for name, outcome in outcomes.items()}) == (
            0,
            {"0000": 80.0, "0001": 70.0},
        )
        waiting = asyncio.create_task(broker.lease(0))
        await broker.remeasure(["0001", "0000"], 2)
        assert await waiting == Remeasure("0001", 2)
        assert await broker.lease(1) == Remeasure("0000", 2)
        await broker.events(0)
        await broker.measured("0001", [71.0, 72.0])
        assert await broker.remeasuring(0) == (1, {})
        over = asyncio.create_task(broker.remeasuring(30))
        await broker.measured("0000", [], "no checkpoint")
        assert await over == (0, {"0000": "no checkpoint"})
        assert await broker.events(0) == [Confirmed("0001", (71.0, 72.0))]
        await broker.close(Verdict.OUTRANKED)
        assert await broker.lease(0) is Lull.CLOSED

    run(story())


def test_a_measurement_goes_to_another_gang_when_its_own_dies() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await completed(broker, 80.0)
        await broker.remeasure(["0000"], 3)
        assert await broker.lease(0) == Remeasure("0000", 3)
        waiting = asyncio.create_task(broker.lease(1))
        await broker.abandon(0)  # gone for good
        assert await waiting == Remeasure("0000", 3)
        assert await broker.lease(1) == Remeasure("0000", 3)  # restarted: the same gang asks again
        await broker.events(0)
        await broker.measured("0000", [81.0])
        await broker.measured("0000", [99.0])  # by a gang that was taken for dead
        assert await broker.remeasuring(0) == (0, {})
        assert await broker.events(0) == [Confirmed("0000", (81.0,))]

    run(story())


def test_a_measurement_that_kills_its_gangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker(METRIC)
        await completed(broker, 80.0, 70.0)
        await broker.remeasure(["0001", "0000"], 1)
        for _ in range(MAX_ATTEMPTS):
            assert await broker.lease(0) == Remeasure("0001", 1)
            await broker.complain("0001", "OutOfMemoryError: too much")
        assert await broker.lease(0) == Remeasure("0000", 1)
        await broker.measured("0000", [81.0])
        assert await broker.lease(0) is Lull.IDLE
        why = "its workers died 3 times, last: OutOfMemoryError: too much"
        assert await broker.remeasuring(30) == (0, {"0001": why})

    run(story())


def test_a_halt_ends_the_trials_and_keeps_the_gangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a budget is used up: what runs ends at its next report, nothing new begins, the best are measured again."""
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)

    async def story() -> None:
        broker = Broker(METRIC)
        for trial_id in ("0000", "0001"):
            await broker.submit(trial_id, {})
        await broker.lease(0)
        await broker.halt(Verdict.OUT_OF_TIME)
        await broker.submit("0002", {})  # Tune has not noticed yet
        assert await broker.lease(1) is Lull.IDLE
        over = asyncio.create_task(broker.outcomes(30))
        assert await broker.report("0000", epoch(3, fid=80.0, objective=80.0), last=False) is Decision.STOP
        assert not over.done()  # the gang still has it
        await broker.end("0000", Outcome(verdict=Verdict.OUTRANKED, epochs=3, objective=80.0, best_epoch=3))
        running, outcomes = await over
        assert running == 0 and outcomes["0000"].verdict is Verdict.OUT_OF_TIME
        await broker.remeasure(["0000"], 1)
        assert await broker.lease(1) == Remeasure("0000", 1)

    run(story())


def test_closing_ends_measurements_too() -> None:
    async def story() -> None:
        broker = Broker(METRIC)
        await completed(broker, 80.0, 70.0)
        await broker.remeasure(["0001", "0000"], 1)
        await broker.lease(0)
        await broker.close(Verdict.INTERRUPTED)
        assert await broker.lease(1) is Lull.CLOSED
        assert await broker.remeasuring(0) == (2, {})

    run(story())
