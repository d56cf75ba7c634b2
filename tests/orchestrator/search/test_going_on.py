"""A searcher over a study that the driver before it has left: by the log, every trial goes on or is over."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from orchestrator.results.events import Closed, Ended, Opened, Started, Stopping, Submitted
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import StopReason, SweepStatus, TrialOutcome
from orchestrator.search.studies import open_study
from orchestrator.space.load import build_space
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space
from tests.orchestrator.search.test_searcher import METRIC, Sweep, space_with
from tests.orchestrator.sweep_helpers import PLAN, epoch
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.errors import UserError

OPENED: dict[str, Any] = {"pid": 7, "process_started": 1.0, "host": "h", "version": "1", "trials": 9}


def logged(
    submitted: Mapping[str, dict[str, Any]],
    started: Iterable[str] = (),
    ended: Mapping[str, TrialOutcome] | None = None,
    stopping: Mapping[str, StopReason] | None = None,
    *,
    resumed: bool = True,
) -> SweepState:
    """A sweep by its log: its driver died, and unless told otherwise another has opened it."""
    state = SweepState(PLAN)
    state.apply(Opened(at=0.0, session=1, **OPENED))
    for name, params in submitted.items():
        state.apply(Submitted(at=1.0, session=1, trial=name, params=params, epochs=8, n_fake=2))
    for gang, name in enumerate(started):
        state.apply(Started(at=2.0, session=1, trial=name, gang=gang, attempt=1))
    for name, outcome in (ended or {}).items():
        over = {"outcome": asdict(outcome), "seconds": 5.0, "totals": {}}
        state.apply(Ended(at=7.0, session=1, trial=name, **over))
    for name, reason in (stopping or {}).items():
        state.apply(Stopping(at=8.0, session=1, trial=name, reason=reason))
    state.apply(Closed(at=9.0, session=1, status=SweepStatus.INTERRUPTED, ended=9.0))
    if resumed:
        state.apply(Opened(at=20.0, session=2, **OPENED))
    return state


def done(objective: float) -> TrialOutcome:
    return TrialOutcome(verdict="completed", epochs=8, objective=objective, best_epoch=8)


def names(sweep: Sweep, count: int) -> list[str]:
    """The next `count` trials that are suggested."""
    return [sweep.searcher.suggest(f"again-{number}")["trial_id"] for number in range(count)]


def test_every_trial_goes_on_where_it_was(tmp_path: Path) -> None:
    """The log's order decides, not the study's: 0003 had started before 0002."""
    space = space_with()
    first = Sweep(tmp_path / "j", space)
    asked = [first.suggest() for _ in range(6)]
    first.end(asked[0], "completed", 50.0)
    known = {name: first.submitted[name] for name in ("0000", "0001", "0003", "0002", "0004")}  # 0005: died before
    outcomes = {"0000": done(50.0), "0001": done(60.0)}
    state = logged(known, started=("0000", "0001", "0003", "0002"), ended=outcomes)

    histories = {"0001": [epoch(4, fid=80.0), epoch(8, fid=60.0)], "0002": [epoch(4, fid=70.0), epoch(5)]}
    again = Sweep(tmp_path / "j", space, state=state, history=lambda name: histories.get(name, []))
    assert again.searcher.cut == []
    told = again.trials()
    assert [trial.state for trial in told] == [TrialState.COMPLETE] * 2 + [TrialState.RUNNING] * 4
    assert (told[1].value, told[1].intermediate_values) == (60.0, {4: 80.0, 8: 60.0})
    assert told[2].intermediate_values == {4: 70.0}

    assert names(again, 3) == ["0003", "0002", "0004"]
    assert again.submitted == {}, "the log knows them"
    assert names(again, 2) == ["0005", "0006"]
    assert again.submitted["0005"] == first.submitted["0005"]
    assert again.submitted["0006"] not in first.params


def test_what_a_trial_measured_before_is_not_reported_twice(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    first = Sweep(tmp_path / "j", space_with())
    first.searcher.on_trial_result(first.suggest(), result_of(4, 80.0).to_tune(METRIC))
    state = logged(first.submitted, started=first.submitted)
    again = Sweep(tmp_path / "j", space_with(), state=state, history=lambda name: [epoch(4, fid=80.0)])
    trial_id = again.suggest()
    for number, fid in ((4, 81.0), (6, 70.0)):
        again.searcher.on_trial_result(trial_id, result_of(number, fid).to_tune(METRIC))
    again.end(trial_id, "completed", 70.0)
    (trial,) = again.trials()
    assert (trial.value, trial.intermediate_values) == (70.0, {4: 80.0, 6: 70.0})
    assert not recwarn.list


def test_with_two_objectives_too(tmp_path: Path) -> None:
    space = space_with(objectives=["fid", "device_seconds"], sampler={"name": "nsga2"})
    first = Sweep(tmp_path / "j", space, devices=4.0)
    for _ in range(2):
        first.searcher.on_trial_result(first.suggest(), result_of(4, 80.0).to_tune(METRIC))
    state = logged(first.submitted, started=first.submitted, ended={"0000": done(50.0)})
    history = [epoch(4, fid=99.0), epoch(8, fid=50.0)]
    over, goes_on = Sweep(tmp_path / "j", space, devices=4.0, state=state, history=lambda name: history).trials()
    assert over.values == [50.0, 20.0]  # 5 s on 4 devices
    for trial in (over, goes_on):
        assert trial.user_attrs == {f"{METRIC}@4": 80.0, f"{METRIC}@8": 50.0}


def test_a_trial_that_the_scheduler_had_cut_is_not_proposed_again(tmp_path: Path) -> None:
    """Its driver died after it had told Optuna, before it could write that to the log."""
    first = Sweep(tmp_path / "j", space_with())
    cut, _ = first.suggest(), first.suggest()
    first.searcher.on_trial_complete(cut, result_of(4, 99.0).to_tune(METRIC))
    again = Sweep(tmp_path / "j", space_with(), state=logged(first.submitted, started=("0000", "0001")))
    assert again.searcher.cut == ["0000"]
    assert names(again, 2) == ["0001", "0002"]
    assert again.trials()[0].state is TrialState.PRUNED


def test_a_trial_whose_end_the_log_has_lost_is_not_taken_for_cut(tmp_path: Path) -> None:
    """The host lost its power after Optuna had synced its journal: the trial ends again, and Optuna keeps the first."""
    first = Sweep(tmp_path / "j", space_with())
    completed, failed = first.suggest(), first.suggest()
    first.end(completed, "completed", 50.0)
    first.searcher.on_trial_complete(failed, None, error=True)
    before = first.trials()
    again = Sweep(tmp_path / "j", space_with(), state=logged(first.submitted, started=("0000", "0001")))
    assert again.searcher.cut == []
    assert names(again, 3) == ["0000", "0001", "0002"]
    again.searcher.on_trial_result("again-0", result_of(4, 80.0).to_tune(METRIC))
    for trial_id in ("again-0", "again-1"):
        again.end(trial_id, "completed", 50.0)
    assert again.trials()[:2] == before


def test_a_cut_that_only_the_log_knows_is_told(tmp_path: Path) -> None:
    first = Sweep(tmp_path / "j", space_with())
    first.searcher.on_trial_result(first.suggest(), result_of(4, 99.0).to_tune(METRIC))
    state = logged(first.submitted, started=("0000",), stopping={"0000": StopReason.OUTRANKED})
    again = Sweep(tmp_path / "j", space_with(), state=state)
    assert again.trials()[0].state is TrialState.PRUNED
    assert names(again, 1) == ["0001"]


def test_as_many_as_are_planned(tmp_path: Path) -> None:
    """What the log knows counts, what only Optuna knows does not; more may be planned while trials run."""
    planned = [4]
    first = Sweep(tmp_path / "j", space_with())
    for _ in range(3):
        first.suggest()
    known = {name: first.submitted[name] for name in ("0000", "0001")}
    again = Sweep(tmp_path / "j", space_with(), state=logged(known, started=("0000",)), planned=lambda: planned[0])
    assert names(again, 4) == ["0000", "0001", "0002", "0003"]
    assert again.searcher.suggest("more") is None, "one that runs may still fail, and more may be planned"
    planned[0] = 5
    assert names(again, 1) == ["0004"]
    for trial_id in list(again.searcher._open):
        again.end(trial_id, "completed", 50.0)
    assert again.searcher.suggest("more") == Searcher.FINISHED


def test_at_the_end_what_is_over_is_told_and_what_was_cut_short_goes_on(tmp_path: Path) -> None:
    """Tune ends all trials when the sweep does; the log says which of them are over."""
    ending = [False]
    sweep = Sweep(tmp_path / "j", space_with(), ending=lambda: ending[0])
    asked = [sweep.suggest() for _ in range(3)]
    ending[0] = True
    for trial_id in asked:
        sweep.searcher.on_trial_complete(trial_id, result_of(4, 80.0).to_tune(METRIC))
    assert [trial.state for trial in sweep.trials()] == [TrialState.RUNNING] * 3
    sweep.searcher.close(logged(sweep.submitted, ("0000", "0001"), {"0000": done(50.0)}, resumed=False))
    assert [trial.state for trial in sweep.trials()] == [TrialState.COMPLETE] + [TrialState.RUNNING] * 2
    assert sweep.trials()[0].value == 50.0


# The same settings, however often a driver died


TOTAL = {name: 8 if name == "gp" else 24 for name in SAMPLERS}
KEYS = {
    "optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True},
    "optimizer.lr_d": {"float": [1e-4, 1e-2], "log": True},
    "optimizer.beta1": {"float": [0.0, 0.9]},
}


def space_for(name: str) -> Space:
    startup = {"startup": 4} if name in ("tpe", "gp") else {"population": 4} if name in ("cmaes", "nsga2") else {}
    return build_space("x", {"base": {}, "search": KEYS, "sampler": {"name": name, **startup}})


def advance(storage: str, name: str, trials: int) -> list[dict[str, Any]]:
    """Open the study, run so many trials, one after the other, and leave it; returns their settings."""
    sweep = Sweep(storage, space_for(name), seed=3)
    for _ in range(trials):
        trial_id = sweep.suggest()
        sweep.end(trial_id, "completed", 1000 * sum(sweep.params[-1].values()))
    return sweep.params


@pytest.mark.parametrize("name", SAMPLERS)
def test_opening_the_study_again_changes_no_setting(name: str, tmp_path: Path) -> None:
    undisturbed = advance(str(tmp_path / "a"), name, TOTAL[name])
    again = [params for _ in range(TOTAL[name] // 4) for params in advance(str(tmp_path / "b"), name, 4)]
    assert again == undisturbed
    assert len({json.dumps(params) for params in again}) >= TOTAL[name] - 1  # nsga2 crosses few parents here


def test_nor_does_another_process(tmp_path: Path) -> None:
    undisturbed = {name: advance(str(tmp_path / f"a-{name}"), name, TOTAL[name]) for name in SAMPLERS}
    found = {name: advance(str(tmp_path / f"b-{name}"), name, TOTAL[name] // 2) for name in SAMPLERS}
    program = f"""
import json
from tests.orchestrator.search.test_going_on import SAMPLERS, TOTAL, advance
print(json.dumps({{name: advance({str(tmp_path)!r} + "/b-" + name, name, TOTAL[name] // 2) for name in SAMPLERS}}))
"""
    root = Path(__file__).parents[3]
    shown = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    rest = json.loads(shown.stdout.splitlines()[-1])
    assert {name: [*params, *rest[name]] for name, params in found.items()} == undisturbed


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("drawn", range(len(KEYS) + 1))
def test_a_trial_that_the_log_does_not_know_gets_the_setting_that_it_would_have_had(
    name: str, drawn: int, tmp_path: Path
) -> None:
    """A driver died after Optuna had opened the trial and `drawn` of its values were stored."""
    space, before = space_for(name), 14
    undisturbed = advance(str(tmp_path / "a"), name, before + 2)
    found = advance(str(tmp_path / "b"), name, before)
    trial = open_study(str(tmp_path / "b"), "s", space, metric=METRIC, seed=3).ask()
    for key in list(KEYS)[:drawn]:
        space.search[key].suggest(trial, key)
    found += advance(str(tmp_path / "b"), name, 2)
    assert found == undisturbed


def test_a_storage_that_lost_trials_is_said(tmp_path: Path) -> None:
    state = logged({"0007": {}}, started=("0000",))
    with pytest.raises(UserError, match="does not know trial 0007 of this sweep: its storage was lost or replaced"):
        Sweep(tmp_path / "j", space_with(), state=state)
