"""What ends a sweep early: budgets on a fake clock, Ctrl-C, dead gangs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.events import GangUp, Opened
from orchestrator.results.prices import Prices
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import StopReason, SweepStatus
from orchestrator.sweep.disk_watch import DiskWatch
from orchestrator.sweep.stopper import SweepStopper
from tests.orchestrator.sweep_helpers import PLAN, epoch


class Setup:
    """A stopper with two gangs, and fakes of everything that it uses."""

    def __init__(self, gpus_per_gang: float = 0, prices: Prices | None = None, **budgets: float) -> None:
        self.now = 1000.0
        self.gangs = [Gang(0), Gang(1)]
        self.broker = Broker()
        plan = replace(PLAN, gang_gpus=float(gpus_per_gang), prices=prices or Prices())
        self.recorder = Recorder(plan, self.now, budgets)
        self.full = ""
        self.disk = DiskWatch(Path.cwd(), 0, lambda: self.full, clock=lambda: self.now)
        self.stopper = SweepStopper(self.broker, self.gangs, self.recorder, self.disk, clock=lambda: self.now)

    def wait(self, seconds: float) -> SweepStatus:
        """Let time pass; returns the sweep's status."""
        self.now += seconds
        assert self.stopper.stop_all() == (self.stopper.status is not SweepStatus.RUNNING)
        return self.stopper.status


class Gang:
    error: BaseException | None = None

    def __init__(self, number: int) -> None:
        self.number, self.name, self.alive = number, f"gang-{number}", True

    def is_alive(self) -> bool:
        return self.alive


class Recorder:
    error: BaseException | None = None

    def __init__(self, plan: SavedPlan, now: float, budgets: dict[str, float]) -> None:
        self.state = SweepState(plan)
        driver = {"pid": 1, "process_started": 0.0, "host": "h", "version": "1"}
        self.state.apply(Opened(at=now, session=1, trials=9, budgets=dict(budgets), **driver))

    def gang_up(self, gang: int, now: float) -> None:
        self.state.apply(GangUp(at=now, session=1, gang=gang))

    def measured(self, objective: float | None, fid: float) -> None:
        """Add a running trial with this measurement."""
        trial = TrialRecord(f"{len(self.state.trials):04d}", {}, 9, 0.0)
        trial.progress(epoch(5, fid=fid, objective=objective))
        self.state.trials[trial.trial_id] = trial


class Broker:
    """Keeps the calls that it gets, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda argument: self.calls.append((name, argument))


def test_time_ends_the_sweep_once() -> None:
    setup = Setup(time_s=60)
    assert setup.wait(60) is SweepStatus.RUNNING
    assert setup.wait(1) is SweepStatus.OUT_OF_TIME
    setup.stopper.interrupted.set()
    assert setup.wait(1) is SweepStatus.OUT_OF_TIME
    assert setup.broker.calls == [("halt", StopReason.OUT_OF_TIME)]


def test_gpu_hours_count_while_a_gang_holds_its_gpus() -> None:
    setup = Setup(gpus_per_gang=4, gpu_hours=10)
    assert setup.wait(3 * 3600) is SweepStatus.RUNNING  # a cluster that still grows
    setup.recorder.gang_up(0, setup.now)
    assert setup.wait(2.4 * 3600) is SweepStatus.RUNNING
    assert setup.wait(0.2 * 3600) is SweepStatus.OUT_OF_GPU_HOURS
    assert setup.broker.calls == [("halt", StopReason.OUT_OF_GPU_HOURS)]


def test_money_is_that_of_the_head_and_of_the_gpus_that_gangs_hold() -> None:
    setup = Setup(gpus_per_gang=4, prices=Prices(gpu_hour=2.0, head_hour=0.5), cost=10)
    assert setup.wait(4 * 3600) is SweepStatus.RUNNING  # 2 USD, of the head
    setup.recorder.gang_up(0, setup.now)
    assert setup.wait(0.9 * 3600) is SweepStatus.RUNNING  # 2.45 + 7.2
    assert setup.wait(0.1 * 3600) is SweepStatus.OUT_OF_MONEY  # 2.5 + 8
    assert setup.broker.calls == [("halt", StopReason.OUT_OF_MONEY)]


def test_without_gpus_money_is_that_of_the_head() -> None:
    setup = Setup(prices=Prices(gpu_hour=2.0, head_hour=0.5), cost=1)
    assert setup.wait(2 * 3600) is SweepStatus.RUNNING
    assert setup.wait(1) is SweepStatus.OUT_OF_MONEY


def test_a_target_is_reached_by_an_objective() -> None:
    setup = Setup(target_fid=40)
    setup.recorder.measured(None, fid=30)  # before its window
    setup.recorder.measured(41, fid=41)
    assert setup.wait(1) is SweepStatus.RUNNING
    setup.recorder.measured(40, fid=40)
    assert setup.wait(1) is SweepStatus.TARGET_REACHED


def test_the_target_goes_before_what_is_used_up() -> None:
    setup = Setup(gpus_per_gang=1, time_s=1, gpu_hours=1, target_fid=40)
    setup.recorder.gang_up(0, setup.now)
    setup.recorder.measured(39, fid=39)
    assert setup.wait(7200) is SweepStatus.TARGET_REACHED


def test_gangs_are_waited_for_while_one_is_up_and_nobody_interrupts() -> None:
    """After the last trial Tune calls the stopper no more."""
    setup = Setup(gpus_per_gang=2)
    assert setup.stopper.may_wait()
    setup.gangs[0].error, setup.gangs[0].alive = RuntimeError("no room"), False
    assert setup.stopper.may_wait()
    assert setup.broker.calls == [("abandon", 0)]  # what it held goes to the other
    setup.stopper.interrupted.set()
    assert not setup.stopper.may_wait()
    setup.stopper.interrupted.clear()
    setup.gangs[1].alive = False
    assert not setup.stopper.may_wait() and setup.stopper.status is SweepStatus.RUNNING


def test_ctrl_c_ends_the_sweep_at_once() -> None:
    setup = Setup()
    setup.stopper.interrupted.set()
    assert setup.wait(1) is SweepStatus.INTERRUPTED
    assert setup.broker.calls == [("close", StopReason.INTERRUPTED)]


def test_without_gangs_the_sweep_fails() -> None:
    setup = Setup()
    assert setup.wait(1e9) is SweepStatus.RUNNING
    setup.gangs[0].error, setup.gangs[0].alive = RuntimeError("no room"), False
    assert setup.wait(1) is SweepStatus.RUNNING
    setup.gangs[1].alive = False
    assert setup.wait(1) is SweepStatus.FAILED
    assert setup.broker.calls == [("abandon", 0), ("close", StopReason.SWEEP_FAILED)]


def test_a_full_disk_ends_the_sweep() -> None:
    setup = Setup(time_s=60)
    assert setup.wait(5) is SweepStatus.RUNNING and setup.stopper.may_wait()
    setup.full = "/sweeps/s/trials/0003"
    assert setup.wait(5) is SweepStatus.FAILED
    assert setup.broker.calls == [("close", StopReason.SWEEP_FAILED)]
    setup.full = ""  # the gangs are gone, though there is room again
    setup.now += 5
    assert not setup.stopper.may_wait() and setup.stopper.finish() is SweepStatus.FAILED


def test_a_disk_that_is_full_while_the_best_are_measured_again_fails_the_sweep() -> None:
    setup = Setup(time_s=60)
    assert setup.wait(61) is SweepStatus.OUT_OF_TIME
    setup.full = "/sweeps/s/events.jsonl"
    setup.now += 5
    assert not setup.stopper.may_wait() and setup.stopper.finish() is SweepStatus.FAILED


def test_a_sweep_without_a_reason_to_end_has_finished() -> None:
    setup = Setup()
    assert setup.stopper.may_confirm()
    assert setup.stopper.finish() is SweepStatus.FINISHED
    setup = Setup()
    setup.stopper.interrupted.set()  # while the best were measured again
    assert setup.stopper.finish() is SweepStatus.INTERRUPTED
    setup = Setup(time_s=1)
    assert setup.wait(2) is SweepStatus.OUT_OF_TIME and setup.stopper.may_confirm()
    assert setup.stopper.finish() is SweepStatus.OUT_OF_TIME


@pytest.mark.parametrize("status", sorted(set(SweepStatus) - {SweepStatus.RUNNING}))
def test_every_end_of_a_sweep_says_what_its_open_trials_end_as(status: SweepStatus) -> None:
    verdict = status.trials_end_as
    assert verdict == status or (status, verdict) in {
        (SweepStatus.FINISHED, StopReason.OUTRANKED),
        (SweepStatus.FAILED, StopReason.SWEEP_FAILED),
    }


def test_a_budget_ends_the_training_with_fresh_seeds_and_the_target_does_not() -> None:
    setup = Setup(time_s=100.0, target_fid=70.0)
    assert setup.stopper.may_repeat()
    setup.stopper.status = SweepStatus.TARGET_REACHED
    assert setup.stopper.may_repeat() and setup.stopper.status is SweepStatus.TARGET_REACHED
    setup.now += 101
    assert not setup.stopper.may_repeat() and setup.stopper.status is SweepStatus.OUT_OF_TIME
    assert setup.broker.calls == [("halt", StopReason.OUT_OF_TIME)]
    assert not setup.stopper.may_repeat()
    interrupted = Setup()
    interrupted.stopper.interrupted.set()
    assert not interrupted.stopper.may_repeat()
