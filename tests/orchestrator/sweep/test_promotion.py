"""A sweep whose trials wait at rungs, with a driver that is killed: the command line, real processes, SIGKILL."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from orchestrator.results.events import Paused, Promoted
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from orchestrator.search.studies import read_study
from tests.orchestrator.sweep.test_resume import kill_at, run, start, what_counts
from tests.orchestrator.sweep_helpers import SMALL, events_of

RUNGS = {
    "scheduler.name": "asha_promotion",
    "scheduler.grace_epochs": 1,
    "scheduler.reduction_factor": 3,
    "fid.every": 1,
}
LAUNCH = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "7", "--set", "confirm.top=1"]
LAUNCH += [f"--set={setting}" for setting in SMALL if setting.split("=")[0] not in RUNGS]
LAUNCH += [f"--set={name}={value}" for name, value in RUNGS.items()]


@pytest.mark.slow
def test_paused_trials_outlive_a_driver(motorbikes: Path, tmp_path: Path) -> None:
    where = ["--data", str(motorbikes), "--sweeps-dir", str(tmp_path)]
    code, shown = run(*LAUNCH, *where, "--name", "whole")
    assert code == 0 and "finished: 7 of 7 trials" in shown, shown
    whole = ResultsStore(tmp_path / "whole")
    paused, promoted = (events_of(whole.directory, kind) for kind in (Paused, Promoted))
    assert len(paused) > len(promoted) >= 2, "rungs at epochs 1 and 3: of seven trials two go on, of these one"
    trials = whole.read_trials()
    done = [trial for trial in trials if trial.state is State.COMPLETED]
    assert {trial.epochs for trial in done} == {6} and done
    assert {(trial.state, trial.verdict) for trial in trials if trial not in done} == {(State.PRUNED, "outranked")}
    assert {trial.epochs for trial in trials} == {1, 3, 6}, "some wait at each rung"
    study = read_study(whole.directory / "study.journal", "whole")
    assert [trial.state for trial in study.trials] == [
        TrialState.COMPLETE if trial in done else TrialState.PRUNED for trial in trials
    ]
    assert all(trial.intermediate_values for trial in study.trials)

    kill_at(start(*LAUNCH, *where, "--name", "killed"), "trial 0003  epoch 1/6")
    store = ResultsStore(tmp_path / "killed")
    code, shown = run("resume", str(store.directory))
    assert code == 0 and "finished: 7 of 7 trials" in shown, shown
    assert what_counts(store) == what_counts(whole)
