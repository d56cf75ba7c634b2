"""A start that is refused leaves no run of MLflow running, where the driver before it has died."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from rich.console import Console

from orchestrator.cli import main
from orchestrator.commands.running import run_to_the_end
from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import make_plan
from orchestrator.plan.saved import from_saved, to_saved
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.faults.processes import free_port
from tests.orchestrator.sweep_helpers import begun, keep
from tests.orchestrator.tracking.test_tracker import deliver
from trainers.errors import UserError


@pytest.fixture
def dead(tmp_path: Path, motorbikes: Path, database: str) -> ResultsStore:
    """A sweep whose driver has died while MLflow showed it and a trial of it as running."""
    where: dict[str, Any] = {"data": motorbikes, "sweeps_dir": tmp_path, "name": "s"}
    plan = make_plan(LaunchOptions(space="ralsgan_motorbike", demo=True, tracking_uri=database, **where))
    saved = to_saved(plan, prepare_data(plan))
    store = begun(tmp_path / "s", saved)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 1e-3}, total_epochs=4, started=100.0))
    assert deliver(store, saved) == ""
    assert statuses(store) == ["RUNNING", "RUNNING"]
    return store


def statuses(store: ResultsStore) -> list[str]:
    """Of the runs of its space, which MLflow has of this sweep alone."""
    plan = store.read_plan()
    client = MlflowClient(plan.tracking_uri)
    experiment = client.get_experiment_by_name(plan.space)
    assert experiment is not None
    return [run.info.status for run in client.search_runs([experiment.experiment_id])]


@pytest.mark.parametrize("words", [["resume", "s"], ["launch", "--space", "ralsgan_motorbike", "--resume"]])
def test_before_it_is_opened(dead: ResultsStore, words: list[str]) -> None:
    if words[0] == "launch":
        words = [*words, "--demo", "--data", dead.read_plan().data, "--name", "s"]
    more = ["--concurrency", "1000", "--sweeps-dir", str(dead.directory.parent)]
    refused = CliRunner().invoke(main, [*words, *more])
    assert refused.exit_code == 2 and "this machine has" in refused.stderr and refused.stderr.count("\n") == 1
    assert dead.read_state().status is SweepStatus.INTERRUPTED
    assert statuses(dead) == ["KILLED", "KILLED"]


def test_after_it_was_opened(dead: ResultsStore) -> None:
    saved = dead.read_plan()
    plan = from_saved(saved, dead.directory, saved.definition)
    plan = replace(plan, address=f"127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=r"^nothing answers at --address "):
        run_to_the_end(plan, dead, None, Console(file=io.StringIO()))
    assert dead.read_state().status is SweepStatus.FAILED
    assert sorted(statuses(dead)) == ["FAILED", "KILLED"], "the sweep's own, and the trial's"
