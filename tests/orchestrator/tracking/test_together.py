"""What waits for MLflow of a trial is written together, so that a server gets few requests."""

from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.tracked import read_tracked
from tests.orchestrator.sweep_helpers import begun, epoch, keep, keep_epochs
from tests.orchestrator.tracking.servers import MakeRelay, Server
from tests.orchestrator.tracking.test_tracker import deliver, plan_at, run_of, steps, wait_for


def trial(store: ResultsStore, name: str, epochs: int) -> None:
    keep(store, TrialRecord(name, {"optimizer.lr_g": 0.5}, total_epochs=9, started=100.0))
    keep_epochs(store, name, *(epoch(number, fid=100.0 - number) for number in range(1, epochs + 1)))


def test_all_that_waits_of_a_trial_takes_one_request_and_a_new_trial_no_look_up(
    shared_server: Server, relay: MakeRelay, tmp_path: Path
) -> None:
    asked: list[bytes] = []
    plan = replace(plan_at(relay(lambda request: asked.append(request) or True).uri), space="together")
    store = begun(tmp_path / "s", plan)
    trial(store, "0000", epochs=5)
    tracker = MlflowTracker(store.directory, plan, plan.tracking_uri)
    tracker.start()
    wait_for(lambda: "0000" in read_tracked(store.directory).position.histories)
    assert count(asked, "runs/log-batch") == 2  # with the sweep's own
    assert count(asked, "runs/search") == 2  # a driver that has died may have made them
    asked.clear()
    trial(store, "0001", epochs=5)
    tracker.close(patience_s=600)
    assert tracker.missing == ""
    assert (count(asked, "runs/search"), count(asked, "runs/create"), count(asked, "runs/log-batch")) == (0, 1, 1)
    client = MlflowClient(shared_server.uri)
    (experiment,) = client.search_experiments(filter_string="name = 'together'")
    for run in client.search_runs([experiment.experiment_id], "tags.`gan_sweep.trial` != 'none'"):
        assert steps(client, run, "fid_test_n2") == [(number, 100.0 - number) for number in range(1, 6)]
        assert run.data.params["optimizer.lr_g"] == "0.5"


def count(asked: list[bytes], what: str) -> int:
    return sum(what.encode() in request for request in asked)


def test_an_epoch_that_is_refused_costs_no_other(database: str, tmp_path: Path) -> None:
    plan = plan_at(database)
    store = begun(tmp_path / "s", plan)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 0.5}, total_epochs=4, started=100.0))
    keep_epochs(store, "0000", epoch(1, fid=9.0), epoch(2, fid=8.0, metrics={"no such name: ?*": 1.0}))
    assert deliver(store, plan).startswith("MLflow refused 1 writes (")
    run = run_of(client := MlflowClient(database), "0000")
    assert steps(client, run, "fid_test_n2") == [(1, 9.0)]
    assert run.data.params["optimizer.lr_g"] == "0.5"
