"""A sweep whose objective is maximised: everything that compares trials turns round."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.budgets import Budgets
from orchestrator.results.comparison import conclusion
from orchestrator.results.pareto import pareto_front
from orchestrator.results.records import TrialRecord, best_trial, lowest_objective, ranked
from orchestrator.results.repeats import by_seeds, settings_to_repeat
from orchestrator.results.retention import finalists
from orchestrator.results.seed_odds import odds_of
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, keep, repeated

RECALL = "recall_test_n2_k5"


def trial(number: int, recall: float, *again: float) -> TrialRecord:
    """One with this recall in training, and others when it was measured again."""
    record = ended(f"{number:04d}", "completed", recall)
    record.measure = "recall"
    record.beside = {RECALL: recall, "fid_test_n2": 100 * recall}
    record.confirmed = list(again)
    record.confirmed_beside = [{RECALL: value, "fid_test_n2": 60.0} for value in again]
    return record


def test_the_highest_wins() -> None:
    trials = [trial(0, 0.2), trial(1, 0.5), trial(2, 0.4)]
    best = best_trial(trials)
    assert best is not None and best.trial_id == "0001"
    assert finalists(trials) == [one.trial_id for one in ranked(trials)] == ["0001", "0002", "0000"]
    assert pareto_front(trials) == ["0001"]
    assert trials[0].objectives == {"recall": 0.2} and trials[0].fid == 20.0


def test_the_highest_of_new_measurements_wins() -> None:
    trials = [trial(0, 0.2), trial(1, 0.5, 0.3, 0.32), trial(2, 0.4, 0.36, 0.4)]
    best = best_trial(trials)
    assert best is not None and best.trial_id == "0002" and best.confirmed_fids == [60.0, 60.0]
    assert [one.trial_id for one in ranked(trials)] == ["0002", "0001", "0000"]
    assert [one.trial_id for one in settings_to_repeat(trials, 2)] == ["0002", "0001"]


def test_a_front_with_a_cost() -> None:
    trials = [trial(0, 0.2), trial(1, 0.5), trial(2, 0.4)]
    for one, cost in zip(trials, (10.0, 50.0, 60.0), strict=True):
        one.costs = {"device_seconds": cost}
    assert pareto_front(trials) == ["0000", "0001"], "the third is worse than the second in both"


@pytest.mark.parametrize(("target", "reached"), [(0.5, True), (0.4, True), (0.6, False)])
def test_the_target_is_reached_from_below(target: float, reached: bool) -> None:
    budgets = Budgets(target_fid=target)
    best = lowest_objective([trial(0, 0.2), trial(1, 0.5)])
    found = budgets.reached(seconds=0.0, gpu_hours=0.0, cost=None, objective=best, name="recall")
    assert found == (SweepStatus.TARGET_REACHED if reached else None)
    assert budgets.text("recall") == f"until recall >= {target:g}"


def test_the_highest_mean_over_training_seeds_wins() -> None:
    settings = [repeated("0000", 3.0, 3.1, 3.0, 2.9), repeated("0001", 5.0, 5.1, 5.0, 4.9)]
    for setting in settings:
        for one in (setting, *setting.repeats):
            one.measure = "inception_score"
    assert [one.trial_id for one in by_seeds(settings)] == ["0001", "0000"]
    odds = odds_of(settings)
    assert odds is not None and str(odds).startswith("0001 has a higher mean over training seeds than 0000")
    assert odds.is_clear


def test_two_sweeps_compare_by_their_own_direction(tmp_path: Path) -> None:
    plan = replace(PLAN, objective=RECALL, objectives=("recall",))
    stores = [begun(tmp_path / name, plan) for name in ("one", "two")]
    for store, recall in zip(stores, (0.4, 0.5), strict=True):
        keep(store, trial(0, recall))
    first, second = (store.read_state() for store in stores)
    assert first.trials["0000"].measure == "recall"
    _, text = conclusion(first, second, ("one", "two"))
    assert "By the highest recall in training two's winner is 0.1 higher, and the highest of many" in text


def test_sweeps_with_other_neighbourhoods_are_not_compared(tmp_path: Path) -> None:
    stores = [
        begun(tmp_path / name, replace(PLAN, objective=f"recall_test_n2_k{k}", objectives=("recall",)))
        for name, k in (("one", 5), ("two", 3))
    ]
    (text,) = conclusion(*(store.read_state() for store in stores), ("one", "two"))
    assert text.startswith("Not compared: one measures recall_test_n2_k5, two recall_test_n2_k3.")
