"""What a sweep that goes on keeps, and when nothing is left to do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.budgets import Budgets
from orchestrator.plan.going_on import as_it_stands, check_left
from orchestrator.plan.plan import Plan
from orchestrator.plan.saved import from_saved
from orchestrator.results.events import Changed, Halting
from orchestrator.results.places import LOCK_FILE
from orchestrator.results.prices import Prices
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, epoch, keep, repeated
from trainers.errors import UserError
from trainers.run_report import RunEnd

RESOURCES = {"gangs": 1, "workers": 1, "cpus": 1.0, "gpus": 0.0, "threads": 1}
LAUNCHED = replace(
    PLAN,
    trials=2,
    resources=RESOURCES,
    storage="sqlite:///study.db",
    tracking_uri="http://me:***@h",
    warm_start=("/sweeps/earlier", "/sweeps/another"),
    hang_timeout_s=60.0,
    budgets={"time_s": 100.0, "gpu_hours": None, "target_fid": None},
)


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return begun(tmp_path / "s", LAUNCHED)


def plan_of(store: ResultsStore) -> Plan:
    return from_saved(LAUNCHED, store.directory, LAUNCHED.definition)


def stands(store: ResultsStore, **given: Any) -> Plan:
    nothing: dict[str, Any] = {"trials": None, "budgets": Budgets(), "tracking_uri": "http://me:pw@h", "storage": None}
    plan = given.pop("plan", None) or plan_of(store)
    return as_it_stands(plan, store.read_state(), **{**nothing, **given})


def test_what_is_not_given_stays_as_it_is_by_now(store: ResultsStore) -> None:
    """Also where the plan was made of a command line that leaves out what the launch had."""
    store.append(Changed(at=1.0, session=1, trials=9, budgets={"target_fid": 40.0}))
    bare = replace(plan_of(store), storage="/elsewhere/study.journal", warm_start=(), hang_timeout_s=None)
    nothing: dict[str, Any] = {"trials": None, "budgets": Budgets(), "tracking_uri": "http://me:pw@h", "storage": None}
    plan = as_it_stands(bare, store.read_state(), **nothing)
    assert (plan.trials, plan.budgets) == (9, Budgets(time_s=100.0, target_fid=40.0))
    assert (plan.storage, plan.tracking_uri) == ("sqlite:///study.db", "http://me:pw@h")
    assert (plan.warm_start, plan.hang_timeout_s) == ((Path("/sweeps/earlier"), Path("/sweeps/another")), 60.0)
    more = stands(store, trials=20, budgets=Budgets(time_s=300.0))
    assert (more.trials, more.budgets) == (20, Budgets(time_s=300.0, target_fid=40.0))


def test_another_study_or_server_is_refused(store: ResultsStore) -> None:
    with pytest.raises(UserError, match=r"--storage sqlite:///other.db: s uses sqlite:///study.db"):
        stands(store, storage="sqlite:///other.db")
    with pytest.raises(UserError, match=r"s uses http://me:\*\*\*@h: give that with its password: --tracking-uri URI"):
        stands(store, tracking_uri=None)


def dead_since(store: ResultsStore, at: float) -> None:
    """A driver whose last heartbeat was at this time."""
    (store.directory / LOCK_FILE).write_text(f"{at}\n")


def test_the_time_without_a_driver_is_not_used_up(store: ResultsStore) -> None:
    dead_since(store, 90.0)
    check_left(store.read_state(), stands(store))
    dead_since(store, 110.0)
    with pytest.raises(UserError, match="its time budget is used up: a longer --time-budget goes on"):
        check_left(store.read_state(), stands(store))
    check_left(store.read_state(), stands(store, budgets=Budgets(time_s=200.0)))


def test_money_that_is_used_up_is_said_and_more_of_it_goes_on(store: ResultsStore) -> None:
    """On a CPU, so 90 s of the driver's machine at 40 USD per hour."""
    dead_since(store, 90.0)
    priced = replace(plan_of(store), prices=Prices(head_hour=40.0))
    limited = stands(store, plan=priced, budgets=Budgets(cost=0.99))
    with pytest.raises(UserError, match="its money is used up: a larger --max-cost goes on"):
        check_left(store.read_state(), limited)
    check_left(store.read_state(), stands(store, plan=priced, budgets=Budgets(cost=1.01)))


def test_a_limit_in_money_stays_and_wants_a_price(store: ResultsStore) -> None:
    store.append(Changed(at=1.0, session=1, budgets={"cost": 5.0}))
    priced = replace(plan_of(store), prices=Prices(head_hour=40.0))
    assert stands(store, plan=priced).budgets == Budgets(time_s=100.0, cost=5.0)
    with pytest.raises(UserError, match=r"^--max-cost 5: the price of its machine is not known"):
        stands(store)


def test_a_finished_sweep_wants_more_trials(store: ResultsStore) -> None:
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0), ended("0001", StopReason.OUTRANKED, None))
    close(store, SweepStatus.FINISHED, ended=50.0)
    with pytest.raises(UserError, match="sweep s is finished: 2 of 2 trials; more: --trials 4"):
        check_left(store.read_state(), stands(store))
    check_left(store.read_state(), stands(store, trials=3))


def test_fewer_trials_than_there_are_is_one_line(store: ResultsStore) -> None:
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0), TrialRecord("0001", {}, 4, 0.0), TrialRecord("0002", {}, 4, 0.0))
    with pytest.raises(UserError, match=r"^--trials 2: s has 3 trials already: must be at least 3$"):
        stands(store, trials=2)
    assert stands(store, trials=3).trials == 3
    assert stands(store).trials == 2, "what was asked for before, and had grown since, is no mistake now"


def test_a_death_while_the_best_were_measured_again_leaves_that_to_do(store: ResultsStore) -> None:
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0))
    dead_since(store, 110.0)
    store.append(Halting(at=101.0, session=1, reason="out_of_time", gangs_exit=False))
    check_left(store.read_state(), stands(store))
    close(store, SweepStatus.INTERRUPTED, ended=110.0)  # as `gan-sweep status` writes it
    check_left(store.read_state(), stands(store))


def test_what_was_measured_again_counts_for_its_checkpoint_alone(store: ResultsStore) -> None:
    """Cut short by a budget and measured again; then it goes on, and gets better."""
    trial = TrialRecord("0000", {}, 9, 0.0)
    trial.progress(epoch(3, fid=70.0, objective=70.0))
    trial.confirmed, trial.refused = [71.0], "its fakes hardly vary"
    trial.progress(epoch(4))
    trial.progress(epoch(5, fid=40.0, objective=40.0))
    assert (trial.confirmed, trial.refused) == ([], "")


def test_seeds_that_are_left_are_something_to_do(store: ResultsStore) -> None:
    settings = repeated("0000", 60.0, 61.0, 62.0), repeated("0001", 64.0, 66.0, None)
    keep(store, *settings, *settings[0].repeats, *settings[1].repeats)
    close(store, SweepStatus.FINISHED, ended=50.0)
    plan = plan_of(store)

    def with_seeds(times: int) -> Plan:
        confirm = plan.space.confirm.model_copy(update={"train_seeds": times})
        return replace(plan, space=plan.space.model_copy(update={"trials": 2, "confirm": confirm}))

    with pytest.raises(UserError, match="sweep s is finished: 2 of 2 trials; more: --trials 4"):
        check_left(store.read_state(), with_seeds(2))
    check_left(store.read_state(), with_seeds(3))  # asked for later, with --allow-changes
    reached = replace(with_seeds(3), budgets=Budgets(target_fid=99.0))  # ends the search alone
    check_left(store.read_state(), reached)
    with pytest.raises(UserError, match="its target FID is reached"):
        check_left(store.read_state(), replace(with_seeds(2), budgets=Budgets(target_fid=99.0)))
    with pytest.raises(UserError, match="its time budget is used up"):
        check_left(store.read_state(), replace(with_seeds(3), budgets=Budgets(time_s=10.0)))


def test_more_trials_that_go_on_from_checkpoints_cannot_be_drawn(store: ResultsStore) -> None:
    start = {"checkpoint": "a.pt", "parts": "generator,discriminator,progress"}
    search = {"init.checkpoint": {"choice": ["a.pt", "b.pt"]}, "optimizer.lr_g": {"float": [1e-4, 1e-3]}}
    base = {"init": start, "optimizer": {"lr_g": 1e-4}}
    definition = {"base": base, "search": search, "points": [{"init.checkpoint": "b.pt"}], "trials": 2}
    definition["scheduler"] = {"name": "none"}
    plan = from_saved(replace(LAUNCHED, definition=definition), store.directory, definition)
    with pytest.raises(UserError, match=r"^--trials 3: the trials of s go on from checkpoints of their own, and no"):
        stands(store, plan=plan, trials=3)
    assert stands(store, plan=plan, trials=2).trials == 2
