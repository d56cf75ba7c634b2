"""What another terminal asks of a sweep that runs: one real sweep, every command."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.results.driver_lock import driver_lives
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from tests.orchestrator.sweep_helpers import small

LAUNCH = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "2", "--name", "here"]
LAUNCH += [word for setting in small("schedule.epochs=5000", "confirm.top=0") for word in ("--set", setting)]
LAUNCH += ["--rules", "off", "--scheduler", "none"]  # nothing else ends a trial


def typed(*words: str, sweeps: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "orchestrator.cli", *words, "--sweeps-dir", str(sweeps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def sweep(motorbikes: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], ResultsStore]]:
    """A sweep whose trials last for ever."""
    words = [*LAUNCH, "--data", str(motorbikes), "--sweeps-dir", str(tmp_path)]
    command = [sys.executable, "-m", "orchestrator.cli", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process, ResultsStore(tmp_path / "here")
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.mark.slow
def test_a_sweep_is_asked_from_another_terminal(
    sweep: tuple[subprocess.Popen[bytes], ResultsStore], tmp_path: Path
) -> None:
    process, store = sweep

    def wait_for(condition: Callable[[SweepState], bool]) -> SweepState:
        """pytest's own timeout is the limit."""
        while True:
            assert process.poll() is None
            if (store.directory / "events.jsonl").exists() and condition(state := store.read_state()):
                return state

    wait_for(lambda state: any(trial.epochs >= 3 for trial in state.trials.values()))
    code, shown = typed("status", sweeps=tmp_path)
    assert code == 0 and "here running 1/2" in shown
    code, shown = typed("status", "here", sweeps=tmp_path)
    assert code == 0 and f"process {process.pid} on" in shown and "trial 0000 at epoch" in shown

    code, shown = typed("resume", "here", sweeps=tmp_path)
    assert (code, shown) == (2, "gan-sweep: sweep here is running already")
    code, shown = typed("sync", "here", sweeps=tmp_path)
    assert code == 2 and "its driver delivers by itself" in shown

    code, shown = typed("trial", "add", "here", "optimizer.lr_g=0.0005", "optimizer.lrd=1", sweeps=tmp_path)
    assert code == 2 and "did you mean optimizer.lr_d" in shown
    code, shown = typed("trial", "add", "here", "optimizer.lr_g=5", sweeps=tmp_path)
    assert code == 2 and "lies outside its range" in shown
    code, shown = typed("trial", "add", "here", "optimizer.lr_g=0.001", "optimizer.lr_g=0.0005", sweeps=tmp_path)
    assert code == 2 and "optimizer.lr_g is given twice" in shown
    code, shown = typed("trial", "add", "here", "optimizer.lr_g=0.0005", sweeps=tmp_path)
    assert code == 0 and "here tries next: optimizer.lr_g=0.0005" in shown
    code, shown = typed("budget", "here", "--trials", "5", "--time-budget", "3h", sweeps=tmp_path)
    assert code == 0 and "here: 5 trials, at most 10800 s" in shown
    code, shown = typed("budget", "here", sweeps=tmp_path)
    assert code == 2 and "nothing to change" in shown

    code, shown = typed("trial", "stop", "here", "0000", sweeps=tmp_path)
    assert code == 0 and "trial 0000: stopped_by_user after epoch" in shown
    code, shown = typed("trial", "stop", "here", "0000", sweeps=tmp_path)
    assert code == 2 and "trial 0000 of here is over: stopped_by_user" in shown
    code, shown = typed("trial", "stop", "here", "0001", sweeps=tmp_path)  # it may wait, or train by now
    assert code == 0 and "trial 0001: stopped_by_user" in shown
    own = wait_for(lambda state: "0002" in state.trials).trials["0002"]
    assert own.params["optimizer.lr_g"] == 0.0005, "the setting of one's own comes before the sampler's next"

    code, shown = typed("stop", "here", sweeps=tmp_path)
    assert code == 0 and f"here: interrupted; `gan-sweep resume {store.directory}` goes on with it" in shown
    assert process.wait(60) == 130 and not driver_lives(store.directory)
    code, shown = typed("stop", "here", sweeps=tmp_path)
    assert (code, shown) == (2, "gan-sweep: sweep here does not run: interrupted")
    states = {trial.trial_id: trial.state for trial in store.read_trials()}
    assert (states["0000"], states["0001"], states["0002"]) == ("PRUNED", "PRUNED", "STOPPED")


@pytest.mark.slow
def test_a_dead_sweep_is_ended_by_status_in_mlflow_too(
    sweep: tuple[subprocess.Popen[bytes], ResultsStore], tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    process, store = sweep
    while not (store.trials_dir / "0000" / "history.jsonl").exists():
        assert process.poll() is None
    process.kill()
    process.wait(60)
    code, shown = typed("watch", "here", sweeps=tmp_path)
    assert code == 2 and "does not run: interrupted, its driver died at" in shown
    code, shown = typed("status", "here", sweeps=tmp_path)
    assert code == 0 and "interrupted: its driver died at" in shown and f"gan-sweep resume {store.directory}" in shown
    code, shown = typed("sync", "here", sweeps=tmp_path)
    assert code == 0 and "has everything of here" in shown
    client = MlflowClient(store.read_plan().tracking_uri)
    experiment = client.get_experiment_by_name("ralsgan_motorbike")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.data.tags["gan_sweep.trial"]: run.info.status for run in runs} == {"none": "KILLED", "0000": "KILLED"}
    code, shown = typed("results", "here", "--json", sweeps=tmp_path)
    assert json.loads(shown)["status"] == "interrupted"
