"""A driver that is killed, and the next one that goes on: the command line, real processes, SIGKILL."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from orchestrator.results.store import ResultsStore
from orchestrator.search.studies import read_study
from tests.orchestrator.sweep_helpers import SMALL

LAUNCH = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "4"]
# Which trials wait when another is proposed depends on the clock: test_promotion.py has a sweep of that kind.
LAUNCH += [word for setting in (*SMALL, "scheduler.name=asha_stopping") for word in ("--set", setting)]


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "orchestrator.cli", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(*words: str) -> tuple[int, str]:
    process = start(*words)
    shown, _ = process.communicate(timeout=280)
    return process.returncode, shown


def kill_at(process: subprocess.Popen[str], line: str) -> str:
    """SIGKILL to the driver as soon as it shows this; returns what it showed."""
    assert process.stdout is not None
    shown = []
    for shown_line in process.stdout:
        shown.append(shown_line)
        if line in shown_line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait(60) == -signal.SIGKILL, "".join(shown)
    return "".join(shown)


def what_counts(store: ResultsStore) -> list[dict[str, Any]]:
    """All of the results but what a clock says, and which trials were among the best of all."""
    other = {"seconds", "fid_seconds", "epoch_seconds", "fid_share", "images_per_second"}
    other |= {"confirmed", "objective_mean", "objective_spread", "seeds_mean", "seeds_spread"}
    return [{key: value for key, value in trial.items() if key not in other} for trial in store.summary()["trials"]]


@pytest.mark.slow
def test_the_end_is_the_same_as_without_the_kills(motorbikes: Path, tmp_path: Path) -> None:
    """The driver is killed in the second trial, then while the best are measured again; then one more is planned."""
    where = ["--data", str(motorbikes), "--sweeps-dir", str(tmp_path)]
    code, shown = run(*LAUNCH, *where, "--name", "whole")
    assert code == 0, shown
    kill_at(start(*LAUNCH, *where, "--name", "killed"), "trial 0001  epoch 2/6")
    store, whole = ResultsStore(tmp_path / "killed"), ResultsStore(tmp_path / "whole")
    standing = store.standing()
    assert standing.status == "interrupted" and "its driver died at " in standing.detail
    code, shown = run("results", "killed", "--sweeps-dir", str(tmp_path))
    assert code == 0 and "its driver died at " in shown and "resume" in shown
    code, shown = run(*LAUNCH, *where, "--name", "killed")
    assert code == 2 and f"`gan-sweep resume {tmp_path / 'killed'}` goes on with that sweep" in shown

    shown = kill_at(start("resume", "killed", "--sweeps-dir", str(tmp_path)), "  measured again  FID")
    assert "going on: 1 trial over, 1 to go on from the last checkpoint" in shown
    code, shown = run("resume", "killed", "--sweeps-dir", str(tmp_path), "--trials", "5")
    assert code == 0 and "finished: 5 of 5 trials" in shown, shown
    assert what_counts(store)[:4] == what_counts(whole)
    for trial in whole.read_trials():
        before, after = (fids(one, trial.trial_id) for one in (whole, store))
        assert before == after
        lines = (store.trials_dir / trial.trial_id / "history.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, trial.epochs + 1))
    check_mlflow(store)
    check_optuna(store, whole)
    assert not list(store.trials_dir.glob("*/latest.pt"))
    code, shown = run("resume", "killed", "--sweeps-dir", str(tmp_path))
    assert code == 2 and "sweep killed is finished: 5 of 5 trials; more: --trials 10" in shown


def fids(store: ResultsStore, trial_id: str) -> list[float]:
    """What a trial measured, in order."""
    return [report.measurement.fid for report in store.read_history(trial_id) if report.measurement is not None]


def check_mlflow(store: ResultsStore) -> None:
    """One run per trial, all closed, and every step once."""
    plan = store.read_plan()
    client = MlflowClient(plan.tracking_uri)
    experiment = client.get_experiment_by_name("ralsgan_motorbike")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], f"tags.`gan_sweep.sweep` = '{plan.sweep}'")
    trials = {run.data.tags["gan_sweep.trial"]: run for run in runs}
    records = store.read_trials()
    assert len(runs) == len(trials) and trials.keys() == {"none", *(record.trial_id for record in records)}
    assert trials["none"].info.status == "FINISHED"
    for record in records:
        history = client.get_metric_history(trials[record.trial_id].info.run_id, "d_loss")
        assert [metric.step for metric in history] == list(range(1, record.epochs + 1))
        assert trials[record.trial_id].info.status in ("FINISHED", "KILLED")


def check_optuna(store: ResultsStore, whole: ResultsStore) -> None:
    """The same study as without the kills, and one more trial."""
    ours, theirs = (read_study(one.directory / "study.journal", one.directory.name).trials for one in (store, whole))
    assert len(ours) == len(theirs) + 1
    for one, other in zip(ours, theirs, strict=False):
        assert one.state not in (TrialState.RUNNING, TrialState.WAITING)
        assert (one.state, one.params, one.values) == (other.state, other.params, other.values)
        assert one.intermediate_values == other.intermediate_values
