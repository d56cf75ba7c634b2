"""A server whose answers are lost, come late, or say that somebody else was first."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close, ended, keep
from tests.orchestrator.tracking.servers import MakeRelay, Server
from tests.orchestrator.tracking.test_tracker import deliver, plan_at, runs_in


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client waits so many seconds for an answer."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


def finished(directory: Path, plan: SavedPlan) -> ResultsStore:
    """A sweep of one trial."""
    store = begun(directory, plan)
    keep(store, ended("0000", "completed", 50.0))
    close(store, SweepStatus.FINISHED)
    return store


def test_a_run_whose_answer_is_lost_is_made_once(shared_server: Server, relay: MakeRelay, tmp_path: Path) -> None:
    made: list[bytes] = []

    def lose_the_first(request: bytes) -> bool:
        if b"runs/create" not in request:
            return True
        made.append(request)
        return len(made) > 1

    plan = replace(plan_at(relay(lose_the_first).uri), space="lost")
    assert deliver(finished(tmp_path / "s", plan), plan) == ""
    assert sorted(run.info.status for run in runs_in(shared_server, "lost")) == ["FINISHED", "FINISHED"]


def test_two_sweeps_may_make_their_experiment_at_once(shared_server: Server, relay: MakeRelay, tmp_path: Path) -> None:
    def be_first(request: bytes) -> bool:
        if b"experiments/create" in request:
            MlflowClient(shared_server.uri).create_experiment("both")
        return True

    plan = replace(plan_at(relay(be_first).uri), space="both")
    assert deliver(finished(tmp_path / "s", plan), plan) == ""
    assert all(run.data.params for run in runs_in(shared_server, "both"))
