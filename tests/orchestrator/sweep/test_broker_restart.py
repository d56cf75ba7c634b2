"""The broker dies: Ray starts another, which reads the log. Here the class itself, on one event loop."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.results.lines import LineWriter
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State, StopReason, TrialOutcome
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import ConfirmLease, Lease, NoLease
from tests.orchestrator.sweep_helpers import epoch, keep_epochs, proposal, run
from trainers.run_report import RunEnd


def test_a_new_broker_goes_on_where_the_old_one_died(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)
    monkeypatch.setattr("orchestrator.sweep.broker.DECISION_TIMEOUT_S", 0.01)

    async def story() -> None:
        broker = Broker(directory)
        for trial_id in ("0000", "0001", "0002"):
            await broker.submit(proposal(trial_id, {"lr": int(trial_id)}))
        await broker.lease(0)
        await broker.end("0000", TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3, objective=80.0, best_epoch=3))
        await broker.lease(0)
        report = epoch(2, fid=90.0)
        keep_epochs(ResultsStore(directory), "0001", epoch(1), report)  # a rank writes it before it reports it
        waiting = asyncio.create_task(broker.report("0001", report, last=False))
        await asyncio.sleep(0)
        waiting.cancel()  # with the broker

        broker = Broker(directory)
        assert await broker.report("0001", report, last=False) is None, "asked again, since there was no answer"
        assert (await broker.next_result("0001")).epoch == 2, "Tune hears of it, perhaps again"
        assert (await broker.next_result("0000")).outcome is not None
        await broker.submit(proposal("0002", {"lr": 2}))
        assert await broker.lease(1) == Lease("0002", {"lr": 2})
        assert await broker.lease(2) is NoLease.ASK_AGAIN, "gang 0 still has its trial"
        assert await broker.report("0001", epoch(3), last=False) is None
        await broker.end("0001", TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3))
        assert ResultsStore(directory).read_state().trials["0001"].epochs == 3

    run(story())


def test_a_new_broker_knows_what_has_to_stop_and_what_was_measured_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.sweep.broker.IDLE_S", 0.01)
    monkeypatch.setattr("orchestrator.sweep.broker.DECISION_TIMEOUT_S", 0.01)

    async def story() -> None:
        broker = Broker(directory)
        for name, objective in (("0000", 80.0), ("0001", 70.0)):
            await broker.submit(proposal(name))
            await broker.lease(9)
            ended = TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3, objective=objective, best_epoch=3)
            await broker.end(name, ended)
        for trial_id in ("0002", "0003", "0004"):
            await broker.submit(proposal(trial_id))
        await broker.lease(0)
        await broker.lease(1)
        await broker.stop("0002", StopReason.OUTRANKED)
        await broker.halt(StopReason.OUT_OF_TIME)
        broker = Broker(directory)
        assert await broker.report("0002", epoch(1), last=False) is StopReason.OUTRANKED
        assert await broker.report("0003", epoch(1), last=False) is StopReason.OUT_OF_TIME
        await broker.end("0002", TrialOutcome(verdict=StopReason.OUTRANKED, epochs=1))
        assert await broker.lease(0) is NoLease.ASK_AGAIN, "no trial starts any more"
        await broker.measure_again(["0001", "0000"], 1, 0)
        assert await broker.lease(0) == ConfirmLease("0001", 1)
        await broker.confirmed("0001", [71.0])
        broker = Broker(directory)
        assert await broker.measure_again(["0001", "0000"], 1, 0) == (1, {})
        assert await broker.lease(0) == ConfirmLease("0000", 1)
        await broker.close(StopReason.OUT_OF_TIME)
        assert await Broker(directory).lease(0) is NoLease.SWEEP_OVER

    run(story())


def test_a_trial_whose_rank_met_a_full_disk_can_go_on_later(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        waiting = asyncio.create_task(broker.lease(1))
        await broker.report("0000", epoch(1, fid=90.0, objective=90.0), last=True)
        await broker.full("/sweeps/s/trials/0000")
        assert await waiting is NoLease.SWEEP_OVER, "another gang does not take it to the same disk"
        assert await broker.lease(0) is NoLease.SWEEP_OVER

    run(story())
    (trial,) = ResultsStore(directory).read_trials()
    assert (trial.state, trial.verdict, trial.objective) == (State.STOPPED, "sweep_failed", 90.0)


def test_a_log_that_cannot_be_written_ends_the_sweep(directory: Path) -> None:
    """Nothing that the log does not hold has happened: a later driver goes on with it."""

    async def story() -> None:
        broker = Broker(directory)
        for name in ("0000", "0001"):
            await broker.submit(proposal(name))
        await broker.lease(0)
        assert await broker.report("0000", epoch(1), last=False) is None
        broker._log._lines = LineWriter(Path("/dev/full"))
        await broker.submit(proposal("0002"))
        assert await broker.where_full() == "/dev/full"
        asked = [asyncio.create_task(broker.next_result(name)) for name in ("0000", "0001", "0002")]
        await asyncio.sleep(0)
        assert await broker.report("0000", epoch(2, fid=90.0), last=False) is StopReason.SWEEP_FAILED
        assert await broker.lease(1) is NoLease.SWEEP_OVER
        await broker.close(StopReason.SWEEP_FAILED)
        await broker.end("0000", TrialOutcome(verdict=StopReason.SWEEP_FAILED, epochs=2))
        assert await broker.lease(0) is NoLease.SWEEP_OVER
        (measured, *others) = [await one for one in asked]
        assert measured.outcome is None or measured.outcome.verdict == "sweep_failed"
        assert [one.outcome.verdict for one in others if one.outcome] == ["sweep_failed"] * 2

    run(story())
    state = ResultsStore(directory).read_state()
    assert [trial.trial_id for trial in state.open_trials()] == ["0000"] and list(state.waiting) == ["0001"]
