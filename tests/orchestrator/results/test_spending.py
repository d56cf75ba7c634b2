"""What a sweep has cost, in parts that add up to the whole: golden numbers of a made-up log."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.pruning import RULES
from orchestrator.results.events import Closed, Ended, Event, GangUp, Opened, Started, Submitted
from orchestrator.results.prices import Prices
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.spending import _saved, is_pruned, spending_of
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import Failure, StopReason, SweepStatus, TrialOutcome
from tests.orchestrator.sweep_helpers import PLAN, epoch
from trainers.run_report import RunEnd

HOUR = 3600.0


def spent_by(plan: SavedPlan) -> Any:
    """Two gangs, for 5 hours each of the driver's 6.

    Gang 0 trains 0000 for 4 hours, all of its 10 epochs. Gang 1 trains 0001 for 1 hour, where the scheduler cuts it
    after 2 of 10 epochs of half an hour, and 0002 for 2 hours, which a rule ends before its first epoch was over.
    """
    state = SweepState(plan)
    trials: list[tuple[str, int, float, float, str, int]] = [
        ("0000", 0, 1, 5, RunEnd.COMPLETED, 10),
        ("0001", 1, 1, 2, StopReason.OUTRANKED, 2),
        ("0002", 1, 3, 5, "d_collapse", 0),
    ]
    events: list[tuple[float, Event]] = [
        (0, Opened(at=0, session=1, pid=1, process_started=0, host="h", version="1", trials=3)),
        *((1, GangUp(at=HOUR, session=1, gang=gang)) for gang in (0, 1)),
        (6, Closed(at=6 * HOUR, session=1, status=SweepStatus.FINISHED, ended=6 * HOUR)),
    ]
    for name, gang, start, end, verdict, epochs in trials:
        at, over = start * HOUR, end * HOUR
        totals = {"epoch_seconds": epochs * HOUR / 2}
        outcome = {"verdict": str(verdict), "epochs": epochs, "objective": None, "best_epoch": None, "detail": ""}
        ended = Ended(at=over, session=1, trial=name, outcome=outcome, seconds=over - at, totals=totals)
        events += [
            (start, Submitted(at=at, session=1, trial=name, params={}, epochs=10, n_fake=2)),
            (start, Started(at=at, session=1, trial=name, gang=gang, attempt=1)),
            (end, ended),
        ]
    for _, event in sorted(events, key=lambda one: one[0]):
        state.apply(event)
    return spending_of(state, 99 * HOUR)


def test_on_gpus_trials_idle_gangs_and_the_head_add_up() -> None:
    spent = spent_by(replace(PLAN, gang_gpus=2.0, prices=Prices(gpu_hour=3.0, head_hour=0.5)))
    assert {name: part.hours for name, part in spent.by_trial.items()} == {"0000": 8.0, "0001": 2.0, "0002": 4.0}
    assert {name: part.cost for name, part in spent.by_trial.items()} == {"0000": 24.0, "0001": 6.0, "0002": 12.0}
    assert (spent.trials.hours, spent.idle.hours, spent.whole.hours) == (14.0, 6.0, 20.0)
    assert (spent.trials.cost, spent.idle.cost, spent.head.cost, spent.whole.cost) == (42.0, 18.0, 3.0, 63.0)
    # 8 epochs of half an hour on 2 GPUs; nobody knows of the other
    assert (spent.saved.hours, spent.saved.cost, spent.saved.trials, spent.saved.unknown) == (8.0, 24.0, 2, 1)


def test_on_cpus_each_gang_has_its_share_of_the_machine() -> None:
    """6 hours at 5 USD, so an hour of one of two gangs is half of that; what pruning saved likewise."""
    spent = spent_by(replace(PLAN, resources={"gangs": 2}, prices=Prices(gpu_hour=9.0, head_hour=5.0)))
    assert (spent.on_gpus, spent.whole.hours, spent.whole.cost) == (False, 10.0, 30.0)
    assert {name: part.cost for name, part in spent.by_trial.items()} == {"0000": 10.0, "0001": 2.5, "0002": 5.0}
    assert (spent.trials.cost, spent.idle.cost, spent.head.cost) == (17.5, 12.5, 0.0)
    assert (spent.saved.hours, spent.saved.cost) == (4.0, 10.0)


def test_after_a_resume_with_fewer_gangs_no_more_is_shared_out_than_was_paid() -> None:
    """Both gangs together held 10 hours in 6, though by now one is planned."""
    spent = spent_by(replace(PLAN, resources={"gangs": 1}, prices=Prices(head_hour=5.0)))
    assert (spent.whole.cost, spent.trials.cost, spent.idle.cost) == (30.0, pytest.approx(21.0), pytest.approx(9.0))


def test_without_a_price_there_is_no_money() -> None:
    spent = spent_by(replace(PLAN, gang_gpus=2.0, prices=Prices(head_hour=0.5)))
    parts = (spent.whole, spent.trials, spent.idle, spent.head)
    assert [part.cost for part in parts] == [None] * 4 and spent.saved.cost is None
    assert spent.of_trial("0000") == {"gpu_hours": 8.0, "cost": None}
    assert spent.to_json() == {
        "gpu_hours": {"whole": 20.0, "trials": 14.0, "idle": 6.0, "pruning_saved": 8.0},
        "pruned_trials": 2,
        "pruned_trials_of_unknown_length": 1,
    }


def test_as_json_with_a_price() -> None:
    spent = spent_by(replace(PLAN, resources={"gangs": 2}, prices=Prices(head_hour=5.0)))
    assert spent.of_trial("0001") == {"gpu_hours": None, "cost": 2.5}
    found = spent.to_json()
    assert found["gang_hours"] == {"whole": 10.0, "trials": 7.0, "idle": 3.0, "pruning_saved": 4.0}
    costs = {"whole": 30.0, "trials": 17.5, "idle": 12.5, "head": 0.0, "pruning_saved": 10.0}
    assert (found["currency"], found["cost"]) == ("USD", costs)


def test_a_sweep_of_which_nothing_has_run_has_cost_nothing() -> None:
    spent = spending_of(SweepState(replace(PLAN, prices=Prices(head_hour=5.0))), 99.0)
    assert (spent.whole.hours, spent.whole.cost, spent.trials.cost, spent.idle.cost) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("verdict", [*RULES, *RunEnd, *StopReason, *Failure])
def test_pruned_are_those_that_could_have_gone_on(verdict: str) -> None:
    trial = TrialRecord("0000", {}, 9, 0.0)
    trial.verdict = verdict
    assert is_pruned(trial) == ((verdict in RULES and verdict != "nonfinite") or verdict == "outranked")


def test_the_time_of_epochs_is_added_up_once_each() -> None:
    trial = TrialRecord("0000", {}, 9, 0.0)
    for number in (1, 2):
        trial.progress(replace(epoch(number, fid=9.0, seconds=1.0), started=10.0 * number, ended=10.0 * number + 4.0))
    assert (trial.epoch_seconds, trial.fid_seconds, trial.totals["epoch_seconds"]) == (8.0, 2.0, 8.0)


def test_of_a_trial_that_goes_on_only_its_own_epochs_count() -> None:
    """The first that it reports is the fifth, so four were another's; the log says so too."""
    trial, again = TrialRecord("0000", {}, 9, 0.0), TrialRecord("0000", {}, 9, 0.0)
    for number in (5, 6):
        trial.progress(epoch(number, fid=9.0, seconds=1.0))
    assert (trial.epochs, trial.began, trial.trained) == (6, 4, 2)
    again.restore_totals(trial.totals)
    again.end(TrialOutcome(verdict="fid_diverged", epochs=6), seconds=8.0)
    assert (again.began, again.trained) == (4, 2)
    again.restore_totals({"epoch_seconds": 8.0, "began": 4})
    assert _saved([again], per_gang=1.0, price=None).hours == (9 - 6) * 4.0 / 3600, "3 more epochs of 4 s each"
