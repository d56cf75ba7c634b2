"""A server whose answers are lost, come late, or say that somebody else was first."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.late_end import end_for_the_dead
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from tests.orchestrator.sweep_helpers import begun, close, ended, keep
from tests.orchestrator.tracking.servers import MakeRelay, Server
from tests.orchestrator.tracking.test_tracker import deliver, plan_at, run_of, runs_in


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


def test_a_driver_may_start_while_the_end_of_a_dead_one_is_delivered(
    shared_server: Server, relay: MakeRelay, tmp_path: Path
) -> None:
    asked, go = threading.Event(), threading.Event()

    def hold(request: bytes) -> bool:
        asked.set()
        return go.wait()

    plan = replace(plan_at(relay(hold).uri), space="dead")
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
    ending = threading.Thread(target=end_for_the_dead, args=(store,))
    ending.start()
    asked.wait()
    try:
        assert store.read_state().status is SweepStatus.INTERRUPTED
        driver = DriverLock(store.directory)
        driver.acquire()
        driver.release()
        other = MlflowTracker(store.directory, plan, shared_server.uri)
        other.start()
        other.close(patience_s=0)
        assert "another process" in other.missing
    finally:
        go.set()
        ending.join()
    assert deliver(store, replace(plan, tracking_uri=shared_server.uri)) == ""
    assert len(runs_in(shared_server, "dead")) == 2


def test_a_second_run_that_came_late_is_deleted(database: str, tmp_path: Path) -> None:
    """Found by the next process; the one with the data stays."""
    plan = plan_at(database)
    store = finished(tmp_path / "s", plan)
    deliver(store, plan)
    client = MlflowClient(database)
    run = run_of(client, "0000")
    client.create_run(run.info.experiment_id, 100_000, run.data.tags)
    (store.directory / "tracked.json").unlink()
    assert deliver(store, plan) == ""
    assert run_of(client, "0000").info.run_id == run.info.run_id
