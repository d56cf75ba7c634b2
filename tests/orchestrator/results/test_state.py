"""A sweep's state: folded from its plan, its log and its trials' epochs."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results.events import (
    FORMAT,
    Changed,
    Closed,
    Confirmed,
    Ended,
    Event,
    Exploited,
    GangDown,
    GangUp,
    Halting,
    Interrupted,
    NotDone,
    Opened,
    Paused,
    Pausing,
    Promoted,
    Saved,
    Started,
    Stopping,
    Submitted,
    from_json,
    to_json,
)
from orchestrator.results.prices import Prices
from orchestrator.results.repeats import is_repeat, searched, setting_of
from orchestrator.results.saved_plan import SavedPlan, plan_text, read_plan
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import State, StopReason, SweepStatus
from tests.orchestrator.sweep_helpers import epoch
from trainers.errors import UserError

PLAN = SavedPlan(
    sweep="s",
    space="x",
    objective="fid_test_n2",
    trials=3,
    data="/photos",
    n_real=9,
    synthetic=False,
    tracking_uri="sqlite:///x.db",
    gang_gpus=2.0,
    objectives=("fid", "device_seconds"),
    devices=2.0,
)
COMPLETED = {"verdict": "completed", "epochs": 4, "objective": 50.0, "best_epoch": 4, "detail": ""}

STOPPED = {"verdict": "stopped_by_user", "epochs": 0, "objective": None, "best_epoch": None, "detail": ""}


def opened(at: float, session: int = 1, trials: int = 3) -> Opened:
    return Opened(at=at, session=session, pid=7, process_started=1.0, host="h", version="1", trials=trials)


def submitted(at: float, trial: str, session: int = 1) -> Submitted:
    return Submitted(at=at, session=session, trial=trial, params={"optimizer.lr_g": 0.1}, epochs=4, n_fake=2)


def closed(at: float, status: SweepStatus, session: int = 1, ended: float | None = None) -> Closed:
    return Closed(at=at, session=session, status=status, ended=at if ended is None else ended)


def folded(*events: Event) -> SweepState:
    state = SweepState(PLAN)
    for event in events:
        state.apply(event)
    return state


BEGUN = (
    opened(0.0),
    GangUp(at=10.0, session=1, gang=0),
    submitted(1.0, "0000"),
    submitted(1.0, "0001"),
    submitted(1.0, "0002"),
    Started(at=10.0, session=1, trial="0000", gang=0, attempt=1),
)


def test_trials_wait_run_and_end() -> None:
    state = folded(*BEGUN)
    assert (state.status, list(state.trials), list(state.waiting)) == (SweepStatus.RUNNING, ["0000"], ["0001", "0002"])
    assert (state.holders, state.proposed()) == ({"0000": 0}, 3)
    assert state.progress("0000", epoch(1, fid=90.0, objective=90.0))
    assert not state.progress("0000", epoch(1, fid=1.0, objective=1.0)), "an epoch that was repeated after a death"
    assert state.trials["0000"].objective == 90.0
    state.apply(Ended(at=30.0, session=1, trial="0000", outcome=COMPLETED, seconds=20.0, totals={"last_fid": 50.0}))
    trial = state.trials["0000"]
    assert (trial.state, trial.objective, trial.last_fid, trial.seconds) == (State.COMPLETED, 50.0, 50.0, 20.0)
    assert (trial.costs, state.holders, state.attempts) == ({"device_seconds": 40.0}, {}, {})
    state.apply(Confirmed(at=40.0, session=1, trial="0000", values=[51.0, 53.0]))
    assert trial.objective_mean == 52.0


def test_a_trial_whose_gang_died_waits_first_in_line() -> None:
    state = folded(*BEGUN, Interrupted(at=20.0, session=1, trial="0000", why="died", attempts=1))
    assert (state.interrupted, state.holders, state.attempts) == (["0000"], {}, {"0000": 1})
    state.apply(Started(at=25.0, session=1, trial="0000", gang=1, attempt=2))
    assert (state.interrupted, state.holders, state.attempts) == ([], {"0000": 1}, {"0000": 2})
    assert state.trials["0000"].running_seconds(30.0) == 20.0, "the restart is part of what the trial took"


def test_the_next_driver_goes_on_with_what_the_end_cut_short() -> None:
    state = folded(*BEGUN, Stopping(at=12.0, session=1, trial="0000", reason=StopReason.INTERRUPTED))
    state.progress("0000", epoch(1))
    state.apply(closed(30.0, SweepStatus.INTERRUPTED, ended=20.0))
    trial = state.trials["0000"]
    assert (state.status, trial.state, trial.verdict) == (SweepStatus.INTERRUPTED, State.STOPPED, "interrupted")
    assert (trial.seconds, state.seconds(99.0), state.gpu_hours(99.0)) == (10.0, 20.0, 2 * 10 / 3600)
    state.apply(opened(100.0, session=2, trials=60))
    assert (state.status, state.planned, state.interrupted) == (SweepStatus.RUNNING, 60, ["0000"])
    assert list(state.waiting) == ["0001", "0002"]
    assert (trial.state, trial.verdict, state.stopping) == (State.RUNNING, None, {})
    state.apply(Started(at=110.0, session=2, trial="0000", gang=0, attempt=1))
    assert trial.running_seconds(115.0) == 15.0, "not the time without a driver"
    assert state.seconds(120.0) == 40.0


def test_a_trial_that_the_scheduler_had_cut_stays_cut() -> None:
    cut = Stopping(at=12.0, session=1, trial="0000", reason=StopReason.OUTRANKED)
    state = folded(*BEGUN, cut, closed(13.0, SweepStatus.INTERRUPTED), opened(20.0, session=2))
    assert (state.trials["0000"].state, state.interrupted) == (State.PRUNED, [])


def test_a_trial_that_waits_can_be_ended() -> None:
    state = folded(*BEGUN, Ended(at=5.0, session=1, trial="0002", outcome=STOPPED, seconds=0.0, totals={}))
    trial = state.trials["0002"]
    assert (trial.state, trial.verdict, trial.started, trial.ended) == (State.PRUNED, "stopped_by_user", 5.0, 5.0)
    assert (trial.params, trial.total_epochs, list(state.waiting)) == ({"optimizer.lr_g": 0.1}, 4, ["0001"])
    assert state.proposed() == 3
    assert not state.apply(Started(at=6.0, session=1, trial="0002", gang=0, attempt=1)), "it is over"
    assert state.apply(closed(9.0, SweepStatus.OUT_OF_TIME))
    assert list(state.waiting) == ["0001"], "one that no gang took waits for the next driver"


def test_a_sweep_that_ends_says_so_until_the_next_driver_comes() -> None:
    halting = Halting(at=20.0, session=1, reason=StopReason.OUT_OF_TIME, gangs_exit=False)
    state = folded(*BEGUN, halting)
    assert (state.halting, state.status) == (halting, SweepStatus.RUNNING)
    state.apply(closed(30.0, SweepStatus.OUT_OF_TIME))
    assert (state.halting, state.trials["0000"].verdict) == (halting, StopReason.OUT_OF_TIME)
    state.apply(opened(40.0, session=2))
    assert state.halting is None


def test_a_failed_sweeps_open_trials_go_on_later() -> None:
    state = folded(*BEGUN, closed(30.0, SweepStatus.FAILED))
    assert (state.trials["0000"].state, state.trials["0000"].verdict) == (State.STOPPED, StopReason.SWEEP_FAILED)
    state.apply(opened(40.0, session=2))
    assert state.interrupted == ["0000"]


def test_a_driver_that_died_without_a_word_is_closed_by_the_next() -> None:
    state = folded(*BEGUN, opened(50.0, session=2))
    first = state.sessions[0].closed
    assert first is not None and (first.status, first.ended) == (SweepStatus.INTERRUPTED, 50.0)
    assert (state.status, state.interrupted, state.gangs) == (SweepStatus.RUNNING, ["0000"], {})


def test_a_dead_drivers_processes_change_nothing() -> None:
    late = Ended(at=21.0, session=1, trial="0000", outcome=COMPLETED, seconds=1.0, totals={})
    for end in ([closed(15.0, SweepStatus.INTERRUPTED)], [closed(15.0, SweepStatus.INTERRUPTED), opened(20.0, 2)]):
        before, after = folded(*BEGUN, *end), folded(*BEGUN, *end, late)
        assert before == after


def test_gpu_hours_are_those_of_gangs_that_are_up() -> None:
    state = folded(*BEGUN, GangUp(at=20.0, session=1, gang=1), GangDown(at=40.0, session=1, gang=0))
    assert state.gpu_hours(50.0) == 2 * (30.0 + 30.0) / 3600


def test_a_gang_with_fewer_ranks_holds_fewer_gpus() -> None:
    state = folded(*BEGUN[1:], opened(0.0), GangUp(at=10.0, session=1, gang=0, workers=2, of=2))
    assert state.short == []
    assert state.apply(GangUp(at=20.0, session=1, gang=0, workers=1, of=2))
    assert not state.apply(GangUp(at=25.0, session=1, gang=0, workers=1, of=2)), "it has come back with as many"
    assert state.short == ["gang 0 has 1 of 2 workers"]
    assert state.gpu_hours(30.0) == 2 * (10.0 + 10.0 / 2) / 3600
    state.apply(GangUp(at=40.0, session=1, gang=0, workers=2, of=2))
    assert (state.short, state.gpu_hours(50.0)) == ([], 2 * (10.0 + 20.0 / 2 + 10.0) / 3600)
    state.apply(closed(60.0, SweepStatus.FINISHED))
    assert (state.sizes, state.gpu_hours(99.0)) == ({}, 2 * (10.0 + 20.0 / 2 + 20.0) / 3600)


def test_what_a_gang_holds_is_its_trials_while_it_has_one() -> None:
    """From 10 s gang 0 is up for trial 0000; it dies at 20, is back with half of its ranks at 25, and idle from 35."""
    state = folded(*BEGUN, GangDown(at=20.0, session=1, gang=0))
    trial = state.trials["0000"]
    assert (trial.held, state.held_by(trial, 22.0), state.held(22.0)) == (10.0, 10.0, 10.0)
    state.apply(GangUp(at=25.0, session=1, gang=0, workers=1, of=2))
    assert (state.held_by(trial, 29.0), state.held(29.0)) == (12.0, 12.0)
    state.apply(Ended(at=35.0, session=1, trial="0000", outcome=COMPLETED, seconds=25.0, totals={}))
    assert (trial.held, state.held_by(trial, 39.0), state.held(39.0)) == (15.0, 15.0, 17.0)
    state.apply(Started(at=41.0, session=1, trial="0001", gang=0, attempt=1))
    state.apply(Interrupted(at=45.0, session=1, trial="0001", why="died", attempts=1))
    state.apply(closed(51.0, SweepStatus.INTERRUPTED))
    assert (state.trials["0001"].held, state.held(99.0)) == (2.0, 23.0)


def test_cost_is_that_of_gpus_and_head() -> None:
    state = folded(*BEGUN)
    assert state.cost(46.0) is None
    state.plan = replace(PLAN, prices=Prices(gpu_hour=3600.0, head_hour=1800.0))
    assert state.cost(46.0) == 2 * 36.0 + 23.0
    state.plan = replace(state.plan, gang_gpus=0.0)
    assert state.cost(46.0) == 23.0


def test_plans_and_budgets_change() -> None:
    state = folded(*BEGUN, Changed(at=2.0, session=1, budgets={"time_s": 60.0}))
    assert (state.planned, state.budgets) == (3, {"time_s": 60.0})
    state.apply(Changed(at=3.0, session=1, trials=5))
    assert (state.planned, state.budgets) == (5, {"time_s": 60.0})


EVERY: list[Event] = [
    *BEGUN,
    GangUp(at=11.0, session=1, gang=0, workers=1, of=2),
    GangDown(at=1.0, session=1, gang=0),
    Interrupted(at=1.0, session=1, trial="0000", why="its node left", attempts=0),
    Pausing(at=1.0, session=1, trial="0001"),
    Paused(at=1.0, session=1, trial="0001"),
    Exploited(at=1.0, session=1, trial="0001", epoch=2, source="0000", params={"optimizer.lr_g": 0.2}),
    Promoted(at=1.0, session=1, trial="0001"),
    Stopping(at=1.0, session=1, trial="0000", reason=StopReason.OUT_OF_TIME),
    Ended(at=1.0, session=1, trial="0000", outcome=COMPLETED, seconds=1.0, totals={}),
    Confirmed(at=1.0, session=1, trial="0000", values=[1.0], beside=[{"recall_x_n9_k5": 0.5}]),
    Changed(at=1.0, session=1, trials=9),
    Submitted(at=1.0, session=1, trial="0000s1", params={"seed": 7}, epochs=4, n_fake=2, repeats="0000"),
    Started(at=1.0, session=1, trial="0000s1", gang=0, attempt=1),
    Saved(at=1.0, session=1, trial="0001"),
    NotDone(at=1.0, session=1, key="0123", why="it comes too late"),
    Halting(at=4.0, session=1, reason=StopReason.OUT_OF_TIME, gangs_exit=False),
    Halting(at=4.5, session=1, reason=StopReason.OUT_OF_TIME, gangs_exit=True),
    Ended(at=4.5, session=1, trial="0002", outcome=STOPPED, seconds=0.0, totals={}),
    closed(5.0, SweepStatus.FINISHED),
    opened(6.0, session=2),
    Started(at=7.0, session=2, trial="0001", gang=1, attempt=1),
]


def test_every_event_survives_the_file() -> None:
    assert {type(event) for event in EVERY} == set(Event.__subclasses__())
    for event in EVERY:
        assert from_json(json.loads(json.dumps(to_json(event)))) == event


@given(st.lists(st.sampled_from(EVERY), max_size=12))
def test_no_order_of_events_breaks_the_state(events: list[Event]) -> None:
    """A log may lack what a crash has cost; whatever is left can be read, and no trial is in two places."""
    state = folded(*events)
    assert not state.trials.keys() & state.waiting.keys()
    assert not state.holders.keys() & set(state.interrupted)
    open_trials = {trial.trial_id for trial in state.open_trials()}
    assert {*state.holders, *state.interrupted, *state.attempts, *state.stopping, *state.pausing} <= open_trials
    assert len(state.interrupted) == len(set(state.interrupted))
    assert state.proposed() == sum(not is_repeat(name) for name in (*state.trials, *state.waiting))
    for setting in searched(state.trials.values()):
        assert all(setting_of(repeat.trial_id) == setting.trial_id for repeat in setting.repeats)
    for trial in state.trials.values():
        assert (trial.verdict is None) == trial.open == (trial.ended is None)
    if not state.is_open:
        assert not open_trials and not state.gangs and not state.sizes
        assert state.sessions or state.halting is None
    assert state.seconds(99.0) >= 0
    assert state.gpu_hours(99.0) >= 0
    assert sum(state.held_by(trial, 99.0) for trial in state.trials.values()) <= state.held(99.0) + 1e-9


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"v": FORMAT + 1}, "written by a newer gan-sweep: it has format 2, this version reads up to 1"),
        ({"v": None}, "does not say its format"),
        ({"event": "opend"}, "no event is called 'opend'"),
        ({"gang": None, "event": "ended"}, "damaged: ended"),
        ({"event": "exploited", "source": "../x"}, "no trial is called"),
    ],
)
def test_what_cannot_be_read_is_said(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        from_json({**to_json(BEGUN[1]), **change})


def test_the_plan_survives_the_file(tmp_path: Any) -> None:
    file = tmp_path / "plan.json"
    file.write_text(plan_text(PLAN))
    assert read_plan(file) == PLAN
    priced = replace(PLAN, prices=Prices(gpu_hour=1.5))
    file.write_text(plan_text(priced))
    assert read_plan(file) == priced
    file.write_text(plan_text(PLAN).replace('"format": 1', '"format": 2'))
    with pytest.raises(UserError, match=r"plan\.json was written by a newer gan-sweep"):
        read_plan(file)
    for text in ("{", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(UserError, match=r"plan\.json is damaged"):
            read_plan(file)


@pytest.mark.parametrize("name", ["..", "../0000", "/etc", "0000/..", "", "1", "0000\n", None])
def test_a_trial_is_a_number_and_no_path(name: str | None) -> None:
    event = Stopping(at=1.0, session=1, trial="0000", reason="d_collapse")
    with pytest.raises(UserError, match=r"^events\.jsonl is damaged: no trial is called '?[^\n]*$"):
        from_json({**to_json(event), "trial": name})
