"""MLflow goes away and comes back: a real server, really killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.results.records import TrialRecord
from orchestrator.results.store import create_sweep
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from tests.orchestrator.sweep_helpers import INFO, epoch
from trainers.run_report import RunEnd


class Server:
    """An MLflow server on a port of its own, on one database however often it is started."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += [
            "--backend-store-uri",
            f"sqlite:///{self._folder}/m.db",
            "--artifacts-destination",
            str(self._folder),
        ]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self._process = subprocess.Popen(command, **pipes, text=True, start_new_session=True)
        assert self._process.stdout is not None
        assert any("Application startup complete" in line for line in self._process.stdout)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Started, and ended however the test ends."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


def test_nothing_is_lost_while_the_server_is_away(server: Server, tmp_path: Path) -> None:
    store = create_sweep(tmp_path / "s")
    (store.directory / "space.yaml").write_text("base: {}\n")
    tracker = MlflowTracker(replace(INFO, tracking_uri=server.uri), store)
    trial = TrialRecord("0000", {"optimizer.lr_g": 1e-3}, total_epochs=4, started=100.0)
    tracker.started(trial)
    server.kill()
    for number in (1, 2):
        tracker.progressed(trial, epoch(number, fid=100.0 - number))
    server.start()
    assert tracker.close(None, SweepStatus.FINISHED, patience_s=60) == 0

    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(INFO.space)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`gan_sweep.trial` = '0000'")
    history = client.get_metric_history(run.info.run_id, INFO.objective)
    assert {metric.step: metric.value for metric in history} == {1: 99.0, 2: 98.0}

    # Measurements on fewer fakes have a name of their own, and what is measured again comes after the trial's end.
    confirming = MlflowTracker(replace(INFO, tracking_uri=server.uri), store)
    confirming.progressed(trial, epoch(3, fid=150.0, n_fake=8))
    confirming.progressed(trial, epoch(4, fid=60.0, objective=60.0))
    trial.progress(epoch(4, fid=60.0, objective=60.0))
    trial.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=60.0, best_epoch=4), seconds=12.5)
    confirming.ended(trial)
    trial.confirmed = [63.0, 64.0, 65.0]
    confirming.confirmed(trial)
    assert confirming.close(trial, SweepStatus.FINISHED, patience_s=60) == 0
    history = client.get_metric_history(run.info.run_id, INFO.objective)
    assert {metric.step: metric.value for metric in history} == {1: 99.0, 2: 98.0, 4: 60.0}
    assert [metric.value for metric in client.get_metric_history(run.info.run_id, "fid_test_n8")] == [150.0]
    for run_id in (run.info.run_id, confirming.parent_id):
        metrics = client.get_run(run_id).data.metrics
        assert (metrics["objective"], metrics["objective_mean"], metrics["objective_spread"]) == (60.0, 64.0, 1.0)

    again = MlflowTracker(replace(INFO, tracking_uri=server.uri), store)
    assert again.parent_id == tracker.parent_id  # looked up, not made twice
    server.kill()
    for number in (3, 4):
        again.progressed(trial, epoch(number))
    assert (
        again.close(None, SweepStatus.INTERRUPTED, patience_s=0) == 3
    )  # both epochs and the end; said, and not waited for
