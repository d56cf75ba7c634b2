"""A sweep whose trials wait at rungs, with a driver that is killed: the command line, real processes, SIGKILL."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from orchestrator.results.events import Paused, Promoted
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from orchestrator.search.studies import read_study
from tests.orchestrator.sweep.test_resume import kill_at, run, start
from tests.orchestrator.sweep_helpers import SMALL, events_of

RUNGS = {
    "scheduler.name": "asha",
    "scheduler.grace_epochs": 2,
    "scheduler.reduction_factor": 3,
    "scheduler.rung_factor": 2,
    "schedule.checkpoint_every": 1,
    "fid.every": 1,
}
LAUNCH = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "7", "--set", "confirm.top=1"]
LAUNCH += [f"--set={setting}" for setting in SMALL if setting.split("=")[0] not in RUNGS]
LAUNCH += [f"--set={name}={value}" for name, value in RUNGS.items()]


@pytest.mark.slow
def test_paused_trials_outlive_a_driver(motorbikes: Path, tmp_path: Path) -> None:
    """What is proposed depends on which trials wait by then, so two sweeps of this kind need not be equal."""
    where = ["--data", str(motorbikes), "--sweeps-dir", str(tmp_path), "--name", "s"]
    kill_at(start(*LAUNCH, *where), "trial 0003  epoch 1/6")
    store = ResultsStore(tmp_path / "s")
    before = {event.trial for event in events_of(store.directory, Paused)}
    assert before, "rungs at epochs 2 and 4: the first trials wait"
    kept = {file.name for file in (store.trials_dir / min(before)).glob("*.pt")}
    assert kept == {"latest.pt"}, "the one before is not kept for every trial that waits"
    code, shown = run("resume", str(store.directory))
    assert code == 0 and "finished: 7 of 7 trials" in shown, shown

    trials, promoted = store.read_trials(), [event.trial for event in events_of(store.directory, Promoted)]
    assert promoted
    done = [trial for trial in trials if trial.state is State.COMPLETED]
    assert done and {trial.epochs for trial in done} == {6}
    assert {(trial.state, trial.verdict) for trial in trials if trial not in done} == {(State.PRUNED, "outranked")}
    rungs = {max(rung for rung in (2, 4, 6) if rung <= trial.epochs) for trial in trials}
    assert rungs == {2, 4, 6}, "some wait at each rung: where Tune decides late, as on a busy machine, epochs after it"
    for trial in trials:
        epochs = [report.epoch for report in store.read_history(trial.trial_id)]
        assert epochs == list(range(1, trial.epochs + 1)), "none is lost, none is there twice"
    study = read_study(store.directory / "study.journal", "s")
    assert [trial.state for trial in study.trials] == [
        TrialState.COMPLETE if trial in done else TrialState.PRUNED for trial in trials
    ]
    assert all(trial.intermediate_values for trial in study.trials)
