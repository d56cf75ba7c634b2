"""A server on another machine, as people run it: PostgreSQL behind it, and files through it alone."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from orchestrator.results.verdict import SweepStatus
from orchestrator.space.load import build_space
from tests.faults.postgres import Postgres, programs
from tests.faults.processes import running
from tests.orchestrator.sweep_helpers import begun, close, ended, epoch, keep, keep_epochs
from tests.orchestrator.tracking.servers import Server
from tests.orchestrator.tracking.test_described import PARAMS, SPACE, grid
from tests.orchestrator.tracking.test_tracker import deliver, plan_at, run_of, steps
from trainers.checkpoint import Progress, save_checkpoint
from trainers.families import find_family

SMALL = {**SPACE["base"], "network": {"base_width": 8, "latent_dim": 16}}


def open_to_all(folder: str) -> Path:
    os.chmod(folder, 0o755)
    return Path(folder)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Server]:
    """MLflow's server, on a database of its own."""
    there = programs()
    if there is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    # Its user may not enter pytest's folders.
    with tempfile.TemporaryDirectory() as folder, running(Postgres(there, open_to_all(folder) / "pg")) as postgres:
        postgres.create("mlflow")
        with running(Server(tmp_path / "server", postgres.uri("mlflow"))) as server:
            yield server


@pytest.mark.slow
def test_all_of_a_sweep_is_there_once(remote: Server, tmp_path: Path) -> None:
    plan = replace(plan_at(remote.uri), definition={**SPACE, "base": SMALL}, register="bikes")
    store = begun(tmp_path / "s", plan)
    trial = ended("0000", "completed", 60.0)
    trial.params = PARAMS
    keep(store, trial)
    keep_epochs(store, "0000", replace(epoch(3, fid=60.0, objective=60.0), samples=grid(store, "0000", 3)))
    config = build_space(plan.space, plan.definition).resolve(PARAMS)
    module, _ = find_family(config).build_pair(config)
    state = {"generator": module.state_dict()}
    save_checkpoint(store.trials_dir / "0000" / "best.pt", config, Progress(epoch=3), state)
    close(store, SweepStatus.FINISHED)
    for _ in range(2):
        (store.directory / "tracked.json").unlink(missing_ok=True)
        assert deliver(store, plan) == ""

    client = MlflowClient(remote.uri)
    run = run_of(client, "0000")
    assert steps(client, run, "fid_test_n2") == [(3, 60.0)]
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    pictures = [item.path for item in client.list_artifacts(run.info.run_id, "images") if item.path.endswith(".png")]
    assert len(pictures) == 2
    assert len(client.search_model_versions("name = 'bikes'")) == 1
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(remote.uri)
        model = mlflow.pyfunc.load_model("models:/bikes@champion")
    finally:
        mlflow.set_tracking_uri(before)
    asked = {"seed": 1, "truncation": 0.5}
    images = model.predict(pd.DataFrame({"number": [5, 6]}), params=asked)
    assert images.shape == (2, 32, 32, 3) and images.dtype == "uint8"
    assert (model.predict(pd.DataFrame({"number": [6]}), params=asked)[0] == images[1]).all()
