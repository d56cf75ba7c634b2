"""The schedule that a population has found."""

from dataclasses import replace
from typing import Any

from orchestrator.results.exploits import Exploit
from orchestrator.results.records import TrialRecord
from orchestrator.results.schedule import lineage_of, schedule_of, write_schedule
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from orchestrator.space.yaml_text import read_yaml
from tests.orchestrator.sweep_helpers import PLAN
from trainers.run_report import RunEnd

DEFINITION: dict[str, Any] = {"base": {"seed": 3}, "search": {}, "scheduler": {"name": "pbt"}}


def rate(value: float) -> dict[str, Any]:
    return {"optimizer.lr_g": value, "loss.name": "hinge"}


def state_of(*trials: TrialRecord, scheduler: str = "pbt") -> SweepState:
    definition = {**DEFINITION, "scheduler": {"name": scheduler}}
    state = SweepState(replace(PLAN, definition=definition))
    state.trials.update({trial.trial_id: trial for trial in trials})
    return state


def trial(name: str, start: float, *exploits: Exploit, best_epoch: int = 8, objective: float = 5.0) -> TrialRecord:
    record = TrialRecord(name, rate(start), total_epochs=8, started=0.0)
    record.exploits.extend(exploits)
    record.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=8, objective=objective, best_epoch=best_epoch), 1.0)
    return record


def copy(source: str, epoch: int, value: float) -> Exploit:
    return Exploit(source=source, epoch=epoch, params=rate(value))


def test_it_goes_back_through_the_trials_whose_copies_there_were() -> None:
    """The other's settings at the epoch of the copy, not those that it had later."""
    a = trial("0000", 1.0, copy("0002", 6, 9.0))
    b = trial("0001", 2.0, copy("0000", 4, 3.0))
    c = trial("0002", 4.0, copy("0001", 2, 5.0), copy("0001", 6, 6.0), objective=1.0)
    state = state_of(a, b, c)
    assert [(first, params["optimizer.lr_g"], whose.trial_id) for first, params, whose in lineage_of(state, c)] == [
        (1, 1.0, "0000"),
        (5, 3.0, "0001"),
        (7, 6.0, "0002"),
    ]
    found = schedule_of(state)
    assert found is not None and (found["trial"], found["base"]) == ("0002", {"seed": 3})
    assert found["settings"] == [
        {"from": 1, "set": rate(1.0)},
        {"from": 5, "set": {"optimizer.lr_g": 3.0}},
        {"from": 7, "set": {"optimizer.lr_g": 6.0}},
    ]


def test_what_came_after_the_best_epoch_is_no_part_of_it() -> None:
    a, b = trial("0000", 1.0), trial("0001", 2.0, copy("0000", 4, 3.0), best_epoch=4, objective=1.0)
    assert lineage_of(state_of(a, b), b) == [(1, rate(2.0), b)], "the copy was made after epoch 4"


def test_only_a_population_with_a_winner_has_one(tmp_path: Any) -> None:
    store = ResultsStore(tmp_path)
    write_schedule(store, state_of())
    write_schedule(store, state_of(trial("0000", 1.0), scheduler="asha"))
    assert not list(tmp_path.iterdir())
    write_schedule(store, state_of(trial("0000", 1.0)))
    assert read_yaml(tmp_path / "schedule.yaml", "schedule")["settings"] == [{"from": 1, "set": rate(1.0)}]
