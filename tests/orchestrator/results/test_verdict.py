"""A trial's verdict, and the state that follows from it."""

import pytest

from orchestrator.pruning import RULES, Trip
from orchestrator.results.verdict import Failure, State, StopReason, outcome_of, state_of
from trainers.run_report import RunEnd, RunOutcome

TRIP = Trip("d_collapse", "D loss below 0.01")


def run(end: RunEnd, detail: str = "") -> RunOutcome:
    return RunOutcome(end=end, epochs=7, objective=60.0, best_epoch=5, detail=detail)


def test_a_rule_names_the_end_of_a_run_that_is_not_complete() -> None:
    for end in (RunEnd.STOPPED, RunEnd.NONFINITE):
        outcome = outcome_of(run(end, "d_loss not finite at epoch 7"), TRIP, None)
        assert (outcome.verdict, outcome.detail) == ("d_collapse", "D loss below 0.01")
        assert (outcome.epochs, outcome.objective, outcome.best_epoch) == (7, 60.0, 5)
    assert outcome_of(run(RunEnd.COMPLETED), TRIP, None).verdict == "completed"


def test_without_a_rule_it_is_the_reason_of_the_stop_or_the_runs_own_end() -> None:
    assert outcome_of(run(RunEnd.STOPPED), None, StopReason.OUT_OF_TIME).verdict == "out_of_time"
    assert outcome_of(run(RunEnd.STOPPED), TRIP, StopReason.OUT_OF_TIME).verdict == "d_collapse"
    assert outcome_of(run(RunEnd.COMPLETED), None, StopReason.OUT_OF_TIME).verdict == "completed"
    outcome = outcome_of(run(RunEnd.NONFINITE, "d_loss not finite at epoch 7"), None, None)
    assert (outcome.verdict, outcome.detail) == ("nonfinite", "d_loss not finite at epoch 7")
    with pytest.raises(AssertionError, match="a run stops for a rule or for a reason"):
        outcome_of(run(RunEnd.STOPPED), None, None)


@pytest.mark.parametrize("objective", [None, 60.0])
def test_what_becomes_of_a_trial(objective: float | None) -> None:
    assert state_of(RunEnd.COMPLETED, objective) is State.COMPLETED
    assert state_of(StopReason.OUTRANKED, objective) is State.PRUNED
    one_alone = {StopReason.OUTRANKED, StopReason.STOPPED_BY_USER}  # the others end all trials of a sweep
    assert {state_of(reason, objective) for reason in one_alone} == {State.PRUNED}
    assert {state_of(reason, objective) for reason in set(StopReason) - one_alone} == {State.STOPPED}
    # Whatever ended it, a trial keeps its objective.
    kept = State.FAILED if objective is None else State.COMPLETED
    assert {state_of(failure, objective) for failure in Failure} == {kept}
    for name, rule in RULES.items():
        early = State.PRUNED if rule.hopeless else State.FAILED
        assert state_of(name, objective) is (early if objective is None else State.COMPLETED)
