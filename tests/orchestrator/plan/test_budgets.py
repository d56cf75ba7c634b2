"""Budgets as typed, and the watch that ends a sweep for them: with a clock of our own."""

from typing import Any

import pytest

from orchestrator.plan.budgets import Budgets, parse_duration, read_budgets
from orchestrator.results.records import TrialRecord
from orchestrator.sweep.stopper import Watch
from tests.orchestrator.sweep.test_broker import epoch
from trainers.errors import UserError
from trainers.run_report import Verdict

TYPED = {"time": "--time-budget", "gpu_hours": "--max-gpu-hours", "target_fid": "--target-fid"}


def read(**typed: Any) -> Budgets:
    return read_budgets(**{"time": None, "gpu_hours": None, "target_fid": None, "gpus": 1, **typed})


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("30m", 1800), ("1h30m", 5400), ("90s", 90), ("1.5h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("budget", TYPED)
@pytest.mark.parametrize("text", ["0", "0s", "-1", "nan", "inf", "soon", ""])
def test_a_wrong_budget_is_one_clear_line(budget: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        read(**{budget: text})
    assert str(caught.value).startswith(f"{TYPED[budget]} {text!r}: ") and "\n" not in str(caught.value)


def test_gpu_hours_want_gpus() -> None:
    with pytest.raises(UserError, match=r"--max-gpu-hours needs GPUs, .*--time-budget"):
        read(gpu_hours="2", gpus=0)
    assert read(gpu_hours="2", gpus=0.25) == Budgets(gpu_hours=2)


def test_budgets_are_said_in_one_line() -> None:
    assert str(read(time="2h", gpu_hours="2.5", target_fid="40")) == (
        "at most 7200 s, at most 2.5 GPU hours, until FID <= 40"
    )
    assert str(read()) == ""


class Stand:
    """A watch over two gangs, and everything that it looks at."""

    def __init__(self, gpus_per_gang: float = 0, **budgets: float) -> None:
        self.now = 1000.0
        self.gangs = [Gang(0), Gang(1)]
        self.recorder = Recorder()
        self.broker = Broker()
        self.watch = Watch(
            self.broker, self.gangs, self.recorder, Budgets(**budgets), gpus_per_gang, clock=lambda: self.now
        )

    def wait(self, seconds: float) -> Verdict | None:
        """Later, why the sweep is to end."""
        self.now += seconds
        assert self.watch.stop_all() == (self.watch.reason is not None)
        return self.watch.reason


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
        self._method = ""

    def __getattr__(self, name: str) -> Any:
        self._method = name
        return self

    def remote(self, argument: Any) -> None:
        self.told.append((self._method, argument))


def test_time_ends_the_sweep_once() -> None:
    stand = Stand(time_s=60)
    assert stand.wait(60) is None
    assert stand.wait(1) is Verdict.OUT_OF_TIME
    stand.watch.interrupted.set()
    assert stand.wait(1) is Verdict.OUT_OF_TIME
    assert stand.broker.told == [("halt", Verdict.OUT_OF_TIME)]


def test_gpu_hours_count_while_a_gang_holds_its_gpus() -> None:
    stand = Stand(gpus_per_gang=4, gpu_hours=10)
    stand.wait(3600)
    assert stand.watch.gpu_hours == 0  # a cluster that still grows
    stand.recorder.gangs.add(0)
    stand.wait(3600)
    assert stand.watch.gpu_hours == 4
    stand.recorder.gangs.add(1)
    stand.wait(1800)
    assert stand.watch.gpu_hours == 8
    stand.gangs[0].alive = False  # for good
    assert stand.wait(1800) is None
    assert stand.watch.gpu_hours == 10
    assert stand.wait(1) is Verdict.OUT_OF_GPU_HOURS
    assert stand.broker.told == [("halt", Verdict.OUT_OF_GPU_HOURS)]


def test_a_target_is_reached_by_an_objective() -> None:
    stand = Stand(target_fid=40)
    stand.recorder.measured(None, fid=30)  # before its window
    stand.recorder.measured(41, fid=41)
    assert stand.wait(1) is None
    stand.recorder.measured(40, fid=40)
    assert stand.wait(1) is Verdict.TARGET_REACHED


def test_the_target_goes_before_what_is_used_up() -> None:
    stand = Stand(gpus_per_gang=1, time_s=1, gpu_hours=1, target_fid=40)
    stand.recorder.gangs.add(0)
    stand.recorder.measured(39, fid=39)
    assert stand.wait(7200) is Verdict.TARGET_REACHED


def test_gangs_are_waited_for_while_one_is_up_and_nobody_interrupts() -> None:
    """After the last trial, when Tune asks nothing any more."""
    stand = Stand(gpus_per_gang=2)
    stand.recorder.gangs.add(1)
    assert stand.watch.may_wait()
    stand.gangs[0].error, stand.gangs[0].alive = RuntimeError("no room"), False
    stand.now += 3600
    assert stand.watch.may_wait() and stand.watch.gpu_hours == 2
    assert stand.broker.told == [("abandon", 0)]  # what it held goes to the other
    stand.watch.interrupted.set()
    assert not stand.watch.may_wait()
    stand.watch.interrupted.clear()
    stand.gangs[1].alive = False
    assert not stand.watch.may_wait() and stand.watch.reason is None


def test_ctrl_c_ends_the_sweep_at_once() -> None:
    stand = Stand()
    stand.watch.interrupted.set()
    assert stand.wait(1) is Verdict.INTERRUPTED
    assert stand.broker.told == [("close", Verdict.INTERRUPTED)]


def test_without_gangs_the_sweep_fails() -> None:
    stand = Stand()
    assert stand.wait(1e9) is None
    stand.gangs[0].error, stand.gangs[0].alive = RuntimeError("no room"), False
    assert stand.wait(1) is None
    stand.gangs[1].alive = False
    assert stand.wait(1) is Verdict.ERROR
    assert stand.broker.told == [("abandon", 0), ("close", Verdict.ERROR)]
