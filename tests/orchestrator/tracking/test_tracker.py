"""MLflow goes away and comes back: a real server, really killed."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.tracking import mlflow_tracker
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.tracked import read_tracked
from tests.orchestrator.sweep_helpers import PLAN, begun, close, epoch, keep, keep_epochs, life
from tests.orchestrator.tracking.servers import MakeRelay, Server
from trainers.run_report import RunEnd

SPACE = {"base": {"schedule": {"epochs": 4, "window_first": 2}}, "search": {"optimizer.lr_g": {"float": [1e-4, 1]}}}


def plan_at(uri: str) -> SavedPlan:
    return replace(PLAN, tracking_uri=uri, definition=SPACE)


def wait_for(condition: Callable[[], bool]) -> None:
    """pytest's own timeout is the limit."""
    while not condition():
        threading.Event().wait(0.05)


def run_of(client: MlflowClient, trial: str) -> Run:
    experiment = client.get_experiment_by_name(PLAN.space)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`gan_sweep.trial` = '{trial}'")
    return run


def steps(client: MlflowClient, run: Run, name: str) -> list[tuple[int, float]]:
    """In the order of the steps, with every value that was written."""
    history = client.get_metric_history(run.info.run_id, name)
    return sorted((metric.step, metric.value) for metric in history)


def picture(store: ResultsStore, name: str) -> None:
    path = store.trials_dir / "0000" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_nothing_is_lost_while_the_server_is_away_or_its_driver_dead(server: Server, tmp_path: Path) -> None:
    plan = plan_at(server.uri)
    store = begun(tmp_path / "s", plan)
    trial = TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0)
    tracker = MlflowTracker(store.directory, plan, server.uri)
    tracker.start()
    keep(store, trial)
    picture(store, "samples/epoch_0001.png")
    keep_epochs(store, "0000", replace(epoch(1, fid=99.0), samples="samples/epoch_0001.png"))
    client = MlflowClient(server.uri)
    server.start()
    wait_for(lambda: "0000" in read_tracked(store.directory).position.histories)
    assert steps(client, run_of(client, "0000"), "fid_test_n2") == [(1, 99.0)]
    server.kill()
    keep_epochs(store, "0000", epoch(2, fid=98.0))
    tracker.close(patience_s=0)  # as at a driver's end, while the server is away
    assert "gan-sweep sync" in tracker.missing

    server.start()
    again = MlflowTracker(store.directory, plan, server.uri)
    again.start()
    keep_epochs(store, "0000", epoch(3, fid=150.0, n_fake=8), epoch(4, fid=60.0, objective=60.0))
    for report in (epoch(1), epoch(4, fid=60.0, objective=60.0)):
        trial.progress(report)
    trial.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=60.0, best_epoch=4), seconds=12.5)
    trial.confirmed = [63.0, 64.0, 65.0]
    picture(store, "samples/nearest.png")
    trial.confirmed_beside = [{"kid_test_n2": value} for value in (0.0001, 0.0002, 0.0003)]
    for event in life(trial)[2:]:
        store.append(event)
    close(store, SweepStatus.FINISHED)
    again.close(patience_s=600)
    assert (again.error, again.missing) == (None, "")

    run = run_of(client, "0000")
    assert steps(client, run, "fid_test_n2") == [(1, 99.0), (2, 98.0), (4, 60.0)]
    assert steps(client, run, "fid_test_n8") == [(3, 150.0)]  # on fewer fakes
    pictures = [item.path for item in client.list_artifacts(run.info.run_id, "images") if item.path.endswith(".png")]
    # At the epoch, of the best one at the end, and of the measurements after it.
    assert sorted(Path(name).name.split("+")[0] for name in pictures) == ["nearest", "real_vs_fake", "samples"]
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", 100_000, 112_500)
    parent = run_of(client, "none")
    assert (parent.info.status, parent.data.tags["best_trial"]) == ("FINISHED", "0000")
    for one in (run, parent):
        metrics = one.data.metrics
        assert (metrics["objective"], metrics["objective_mean"], metrics["objective_spread"]) == (60.0, 64.0, 1.0)
        assert metrics["kid_test_n2_mean"] == pytest.approx(0.0002)


def test_writes_wait_where_the_password_has_expired(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that answers 403, as one does for a token that has expired."""
    plan = plan_at(server.uri)
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
    server.start("--allowed-hosts", "elsewhere.example")
    tracker = MlflowTracker(store.directory, plan, server.uri)
    with caplog.at_level("WARNING", "orchestrator"):  # Ray raises the root's level in this process
        tracker.start()
        wait_for(lambda: "did not take a write" in caplog.text)
        tracker.close(patience_s=0)
    assert "403" in tracker.missing and "gan-sweep sync" in tracker.missing

    server.kill()
    server.start()
    again = MlflowTracker(store.directory, plan, server.uri)
    again.start()
    again.close(patience_s=600)
    assert again.missing == ""
    client = MlflowClient(server.uri)
    assert run_of(client, "none").data.params["n_real"] == "9"
    assert run_of(client, "0000").data.params["optimizer.lr_g"] == "0.5"


def test_what_is_written_twice_is_there_once(database: str, tmp_path: Path) -> None:
    """A driver that dies after a write, before it could note that: the next writes it again."""
    plan = plan_at(database)
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
    picture(store, "samples/epoch_0001.png")
    keep_epochs(store, "0000", replace(epoch(1, fid=99.0), samples="samples/epoch_0001.png"), epoch(2, fid=98.0))
    for _ in range(2):
        (store.directory / "tracked.json").unlink(missing_ok=True)
        tracker = MlflowTracker(store.directory, plan, database)
        tracker.start()
        tracker.close(patience_s=600)
        assert tracker.error is None
    client = MlflowClient(database)
    run = run_of(client, "0000")
    assert steps(client, run, "fid_test_n2") == [(1, 99.0), (2, 98.0)]
    pictures = [item.path for item in client.list_artifacts(run.info.run_id, "images") if item.path.endswith(".png")]
    assert len(pictures) == 1
    assert run_of(client, "none").info.status == "RUNNING"


def test_what_the_server_refuses_is_left_out_and_said(database: str, tmp_path: Path) -> None:
    plan = plan_at(database)
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
    keep_epochs(store, "0000", epoch(1, fid=9.0, metrics={"no such name: ?*": 1.0}), epoch(2, fid=8.0))
    tracker = MlflowTracker(store.directory, plan, database)
    tracker.start()
    tracker.close(patience_s=600)
    assert tracker.missing.startswith("MLflow refused 1 writes (") and "gan-sweep sync" in tracker.missing
    assert json.loads((store.directory / "tracked.json").read_text())["histories"].keys() == {"0000"}


def test_sync_writes_what_was_refused_again(database: str, tmp_path: Path) -> None:
    """The experiment is deleted by mistake, while a sweep runs, and restored."""
    plan = plan_at(database)
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
    deliver(store, plan)
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name(PLAN.space)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    keep_epochs(store, "0000", epoch(1, fid=9.0))
    assert "refused" in deliver(store, plan)
    client.restore_experiment(experiment.experiment_id)
    keep_epochs(store, "0000", epoch(2, fid=8.0))
    assert "refused" in deliver(store, plan)  # as `resume`: it goes on, and still says so
    assert steps(client, run_of(client, "0000"), "fid_test_n2") == [(2, 8.0)]
    assert deliver(store, plan, again=True) == ""
    assert steps(client, run_of(client, "0000"), "fid_test_n2") == [(1, 9.0), (2, 8.0)]


def deliver(store: ResultsStore, plan: SavedPlan, *, again: bool = False) -> str:
    """All of the log; returns what is missing."""
    tracker = MlflowTracker(store.directory, plan, plan.tracking_uri, again=again)
    tracker.start()
    tracker.close(patience_s=600)
    return tracker.missing


def test_a_slow_server_keeps_nobody_waiting(
    shared_server: Server, relay: MakeRelay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took in time is noted, the rest is for later: nothing more begins."""
    monkeypatch.setattr(mlflow_tracker, "LAST_WRITE_S", 0.0)
    made, said = count(1), list[str]()

    def close_in_the_third(request: bytes) -> bool:
        if b"runs/create" in request and next(made) == 3:
            tracker.close(patience_s=0)
            said.append(tracker.missing)
        return True

    plan = replace(plan_at(relay(close_in_the_third).uri), space="slow")
    store = begun(tmp_path / "s", plan)
    tracker = MlflowTracker(store.directory, plan, plan.tracking_uri)
    tracker.start()
    for number in range(4):
        keep(store, TrialRecord(f"{number:04d}", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
        if number == 0:
            wait_for(lambda: "0000" in read_tracked(store.directory).position.histories)
    tracker.join()
    assert len(said) == 1 and "a write takes too long" in said[0]
    assert next(made) == 4
    assert "gan-sweep sync" in tracker.missing
    assert 0 < read_tracked(store.directory).position.events < (store.directory / "events.jsonl").stat().st_size
    direct = replace(plan, tracking_uri=shared_server.uri)
    assert deliver(store, direct) == ""
    assert len(runs_in(shared_server, "slow")) == 5


def runs_in(server: Server, space: str) -> list[Run]:
    """Those that were not deleted."""
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(space)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_two_sweeps_of_one_name_have_runs_of_their_own(database: str, tmp_path: Path) -> None:
    for number, folder in enumerate(("one", "other")):
        plan = replace(plan_at(database), unique=folder)
        store = begun(tmp_path / folder / "s", plan)
        keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
        keep_epochs(store, "0000", epoch(1, fid=90.0 + number))
        tracker = MlflowTracker(store.directory, plan, database)
        tracker.start()
        tracker.close(patience_s=600)
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name(PLAN.space)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`gan_sweep.trial` = '0000'")
    assert sorted(run.data.metrics["fid_test_n2"] for run in runs) == [90.0, 91.0]
