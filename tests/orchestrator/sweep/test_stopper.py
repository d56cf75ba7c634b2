"""What ends a sweep early: budgets on a clock of our own, Ctrl-C, gangs that are gone."""

from typing import Any

import pytest

from orchestrator.plan.budgets import Budgets
from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import Failure, StopReason, SweepStatus
from orchestrator.sweep.stopper import SweepStopper
from tests.orchestrator.sweep_helpers import epoch


class Stand:
    """A stopper over two gangs, and everything that it looks at."""

    def __init__(self, gpus_per_gang: float = 0, **budgets: float) -> None:
        self.now = 1000.0
        self.gangs = [Gang(0), Gang(1)]
        self.recorder = Recorder()
        self.broker = Broker()
        self.stopper = SweepStopper(
            self.broker, self.gangs, self.recorder, Budgets(**budgets), gpus_per_gang, clock=lambda: self.now
        )

    def wait(self, seconds: float) -> SweepStatus:
        """Later, how the sweep stands."""
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

    def __init__(self) -> None:
        self.trials: dict[str, TrialRecord] = {}
        self.gangs: set[int] = set()

    def measured(self, objective: float | None, fid: float) -> None:
        """A trial that trains on."""
        trial = TrialRecord(f"{len(self.trials):04d}", {}, 9, 0.0)
        trial.progress(epoch(5, fid=fid, objective=objective))
        self.trials[trial.trial_id] = trial


class Broker:
    """What it is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda argument: self.told.append((name, argument))


def test_time_ends_the_sweep_once() -> None:
    stand = Stand(time_s=60)
    assert stand.wait(60) is SweepStatus.RUNNING
    assert stand.wait(1) is SweepStatus.OUT_OF_TIME
    stand.stopper.interrupted.set()
    assert stand.wait(1) is SweepStatus.OUT_OF_TIME
    assert stand.broker.told == [("halt", StopReason.OUT_OF_TIME)]


def test_gpu_hours_count_while_a_gang_holds_its_gpus() -> None:
    stand = Stand(gpus_per_gang=4, gpu_hours=10)
    stand.wait(3600)
    assert stand.stopper.gpu_hours == 0  # a cluster that still grows
    stand.recorder.gangs.add(0)
    stand.wait(3600)
    assert stand.stopper.gpu_hours == 4
    stand.recorder.gangs.add(1)
    stand.wait(1800)
    assert stand.stopper.gpu_hours == 8
    stand.gangs[0].alive = False  # for good
    assert stand.wait(1800) is SweepStatus.RUNNING
    assert stand.stopper.gpu_hours == 10
    assert stand.wait(1) is SweepStatus.OUT_OF_GPU_HOURS
    assert stand.broker.told == [("halt", StopReason.OUT_OF_GPU_HOURS)]


def test_a_target_is_reached_by_an_objective() -> None:
    stand = Stand(target_fid=40)
    stand.recorder.measured(None, fid=30)  # before its window
    stand.recorder.measured(41, fid=41)
    assert stand.wait(1) is SweepStatus.RUNNING
    stand.recorder.measured(40, fid=40)
    assert stand.wait(1) is SweepStatus.TARGET_REACHED


def test_the_target_goes_before_what_is_used_up() -> None:
    stand = Stand(gpus_per_gang=1, time_s=1, gpu_hours=1, target_fid=40)
    stand.recorder.gangs.add(0)
    stand.recorder.measured(39, fid=39)
    assert stand.wait(7200) is SweepStatus.TARGET_REACHED


def test_gangs_are_waited_for_while_one_is_up_and_nobody_interrupts() -> None:
    """After the last trial, when Tune asks nothing any more."""
    stand = Stand(gpus_per_gang=2)
    stand.recorder.gangs.add(1)
    assert stand.stopper.may_wait()
    stand.gangs[0].error, stand.gangs[0].alive = RuntimeError("no room"), False
    stand.now += 3600
    assert stand.stopper.may_wait() and stand.stopper.gpu_hours == 2
    assert stand.broker.told == [("abandon", 0)]  # what it held goes to the other
    stand.stopper.interrupted.set()
    assert not stand.stopper.may_wait()
    stand.stopper.interrupted.clear()
    stand.gangs[1].alive = False
    assert not stand.stopper.may_wait() and stand.stopper.status is SweepStatus.RUNNING


def test_ctrl_c_ends_the_sweep_at_once() -> None:
    stand = Stand()
    stand.stopper.interrupted.set()
    assert stand.wait(1) is SweepStatus.INTERRUPTED
    assert stand.broker.told == [("close", StopReason.INTERRUPTED)]


def test_without_gangs_the_sweep_fails() -> None:
    stand = Stand()
    assert stand.wait(1e9) is SweepStatus.RUNNING
    stand.gangs[0].error, stand.gangs[0].alive = RuntimeError("no room"), False
    assert stand.wait(1) is SweepStatus.RUNNING
    stand.gangs[1].alive = False
    assert stand.wait(1) is SweepStatus.FAILED
    assert stand.broker.told == [("abandon", 0), ("close", Failure.ERROR)]


def test_a_sweep_without_a_reason_to_end_has_finished() -> None:
    stand = Stand()
    assert stand.stopper.may_confirm()
    assert stand.stopper.finish() is SweepStatus.FINISHED
    stand = Stand()
    stand.stopper.interrupted.set()  # while the best were measured again
    assert stand.stopper.finish() is SweepStatus.INTERRUPTED
    stand = Stand(time_s=1)
    assert stand.wait(2) is SweepStatus.OUT_OF_TIME and stand.stopper.may_confirm()
    assert stand.stopper.finish() is SweepStatus.OUT_OF_TIME


@pytest.mark.parametrize("status", set(SweepStatus) - {SweepStatus.RUNNING})
def test_every_end_of_a_sweep_says_what_its_open_trials_end_as(status: SweepStatus) -> None:
    verdict = status.trials_end_as
    assert verdict == status or (status, verdict) in {
        (SweepStatus.FINISHED, StopReason.OUTRANKED),
        (SweepStatus.FAILED, Failure.ERROR),
    }
