"""A trial that breaks a constraint wins only where every one does, and then that is said."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.display.constraints_text import constraints_text
from orchestrator.display.live import trials_table
from orchestrator.display.report.entries import read_sweeps
from orchestrator.display.report.front import front, front_of
from orchestrator.display.winner_text import winner_rows
from orchestrator.results.pareto import pareto_front
from orchestrator.results.records import TrialRecord, best_trial, lowest_objective, ranked
from orchestrator.results.retention import finalists
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, keep

RECALL = "recall_test_n2_k5"


def trial(number: int, fid: float, recall: float | None, *again: float) -> TrialRecord:
    """One that was measured at a FID with this recall, and again at others."""
    record = ended(f"{number:04d}", "completed", fid)
    record.constraints = {"recall": ">= 0.3"}
    record.beside = {} if recall is None else {RECALL: recall}
    record.confirmed = [fid + 1 for _ in again]
    record.confirmed_beside = [{RECALL: value} for value in again]
    return record


def best_of(*trials: TrialRecord) -> str:
    best = best_trial(list(trials))
    assert best is not None
    return best.trial_id


def test_the_lowest_fid_of_those_that_keep_it_wins() -> None:
    trials = [trial(0, 50.0, 0.2), trial(1, 60.0, 0.4), trial(2, 70.0, 0.5), trial(3, 40.0, None)]
    assert best_of(*trials) == "0001"
    assert lowest_objective(trials) == 60.0
    assert finalists(trials) == [one.trial_id for one in ranked(trials)] == ["0001", "0002", "0003", "0000"]
    assert pareto_front(trials) == ["0001"]
    assert [one.broken for one in trials] == [["recall >= 0.3 (0.2)"], [], [], ["recall >= 0.3 (not measured)"]]


def test_where_none_keeps_it_the_lowest_fid_wins_and_that_is_said() -> None:
    trials = [trial(0, 50.0, 0.2), trial(1, 60.0, 0.1)]
    assert best_of(*trials) == "0000"
    text = "no trial that can win keeps recall >= 0.3; the best of the others breaks recall >= 0.3 (0.2)"
    assert constraints_text(trials[0]) == text
    assert constraints_text(trial(0, 50.0, 0.3)) == "recall >= 0.3: kept"
    assert constraints_text(ended("0000", "completed", 50.0)) == ""


def test_what_was_measured_again_decides() -> None:
    """One may keep it in training alone, and then one that was not measured again wins before it."""
    assert trial(0, 50.0, 0.4, 0.28, 0.3).broken == ["recall >= 0.3 (0.29)"]
    assert trial(0, 50.0, 0.2, 0.3, 0.32).broken == []
    assert best_of(trial(0, 50.0, 0.4, 0.28), trial(1, 60.0, 0.4)) == "0001"
    assert best_of(trial(0, 50.0, 0.4, 0.28), trial(1, 60.0, 0.4), trial(2, 70.0, 0.4, 0.4)) == "0002"


def test_a_maximised_objective_has_its_front_upside_down() -> None:
    trials = [
        trial(number, fid, recall) for number, (fid, recall) in enumerate(((50.0, 0.2), (60.0, 0.4), (70.0, 0.3)))
    ]
    for one in trials:
        one.constraints, one.costs = {}, {"recall": one.beside[RECALL]}
    assert pareto_front(trials) == ["0000", "0001"], "the third is worse than the second in both"
    for one in trials:
        one.costs = {"kid": one.beside[RECALL]}
    assert pareto_front(trials) == ["0000"], "KID is minimised"


def test_the_value_at_the_best_epoch_is_the_second_objective(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", replace(PLAN, objectives=("fid", "recall")))
    keep(store, trial(0, 50.0, 0.2), trial(1, 60.0, 0.431), trial(2, 70.0, None))
    records = store.read_trials()
    assert [one.costs for one in records] == [{"recall": 0.2}, {"recall": 0.431}, {}]
    assert records[1].objectives == {"fid": 60.0, "recall": 0.431}
    console = Console(file=io.StringIO(), width=130)
    console.print(trials_table(records))
    assert " 0.431 " in console.file.getvalue()  # type: ignore[attr-defined]
    (group,) = read_sweeps([store], lambda done, all_: None)
    assert front_of(group) == ["0-0000", "0-0001"]
    figure = front(group).values["figure"]["data"]
    assert [one["line"]["shape"] for one in figure if one["name"] == "Pareto front"] == ["vh"]
    assert [amount for _, _, amount in front(group).values["rows"]] == ["0.2", "0.431"]


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    store = begun(tmp_path / "s", replace(PLAN, constraints={"recall": ">= 0.3"}))
    keep(store, trial(0, 50.0, 0.2), trial(1, 60.0, 0.4, 0.41), trial(2, 55.0, 0.4, 0.2))
    close(store, SweepStatus.FINISHED)
    return store


def test_the_log_and_the_plan_say_all_of_it(store: ResultsStore) -> None:
    records = store.read_trials()
    assert best_of(*records) == "0001"
    assert winner_rows(store, "fid", records[1])["constraints"] == "recall >= 0.3: kept"
    summary = store.summary()
    assert summary["best"]["trial_id"] == "0001"
    assert [one["broken_constraints"] for one in summary["trials"]] == [
        ["recall >= 0.3 (0.2)"],
        [],
        ["recall >= 0.3 (0.2)"],
    ]


def test_the_report_ranks_as_the_winner_is_chosen(store: ResultsStore) -> None:
    (group,) = read_sweeps([store], lambda done, all_: None)
    assert group.best is group.entries[0]
    assert [entry.trial.trial_id for entry in group.entries] == [one.trial_id for one in ranked(store.read_trials())]
    assert group.entries[-1].detail == "breaks recall >= 0.3 (0.2)"


def test_a_bound_of_fid_where_kid_decides(tmp_path: Path) -> None:
    """By FID at the best epoch, which is that of the lowest KID, and by the new measurements of that checkpoint."""
    plan = replace(PLAN, objective="kid_test_n2", objectives=("kid",), constraints={"fid": "<= 40"})
    store = begun(tmp_path / "s", plan)
    for number, (kid, fid, *again) in enumerate(((0.1, 45.0), (0.2, 39.0, 41.0), (0.3, 38.0, 39.5), (0.4, 30.0))):
        record = ended(f"{number:04d}", "completed", kid)
        record.measure, record.constraints = "kid", {"fid": "<= 40"}
        record.beside = {"kid_test_n2": kid, "fid_test_n2": fid, "fid_heldout_test_n2": 99.0}
        record.confirmed = [kid] * len(again)
        record.confirmed_beside = [{"kid_test_n2": kid, "fid_test_n2": one} for one in again]
        keep(store, record)
    close(store, SweepStatus.FINISHED)
    records = store.read_trials()
    assert best_of(*records) == "0002"
    assert [one.broken for one in records] == [["fid <= 40 (45)"], ["fid <= 40 (41)"], [], []]
    assert winner_rows(store, "kid", records[2])["constraints"] == "fid <= 40: kept"
    (group,) = read_sweeps([store], lambda done, all_: None)
    assert {entry.detail for entry in group.entries if entry.trial.broken} == {
        "breaks fid <= 40 (45)",
        "breaks fid <= 40 (41)",
    }
