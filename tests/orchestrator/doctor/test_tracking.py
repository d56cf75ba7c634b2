"""Writes to MLflow are tried, on real stores and a real server, and leave nothing."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from orchestrator.doctor.finding import Asked, Finding, Level
from orchestrator.doctor.tracking import check_tracking_writes
from tests.orchestrator.tracking.test_tracker import Server


def look(sweeps: Path, uri: str | None = None) -> Finding:
    (finding,) = check_tracking_writes(Asked(sweeps_dir=sweeps, tracking_uri=uri))
    return finding


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store with an experiment, in a folder of its own."""
    file = tmp_path / "store" / "m.db"
    file.parent.mkdir()
    client = MlflowClient(f"sqlite:///{file}")
    client.create_experiment("mine", artifact_location=(file.parent / "artifacts").as_uri())
    yield file


def files(folder: Path) -> dict[Path, str]:
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


def test_a_store_is_written_to_and_not_changed(store: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    finding = look(tmp_path, f"sqlite:///{store}")
    assert finding.level is Level.OK and "writes work" in finding.text
    assert files(tmp_path) == before


def test_a_store_that_another_writes_to_without_end(store: Path, tmp_path: Path) -> None:
    with sqlite3.connect(store) as other:
        other.execute("BEGIN EXCLUSIVE")
        finding = look(tmp_path, f"sqlite:///{store}")
        other.rollback()
    assert finding.level is Level.FAILED and "database is locked" in finding.text and finding.cure


def test_a_store_of_another_mlflow(store: Path, tmp_path: Path) -> None:
    with sqlite3.connect(store) as other:
        other.execute("UPDATE alembic_version SET version_num = 'older'")
    finding = look(tmp_path, f"sqlite:///{store}")
    assert finding.level is Level.FAILED and "mlflow db upgrade" in finding.cure


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for uri in (None, f"sqlite:///{tmp_path}/new.db"):
        assert look(tmp_path / "sweeps" / "deep", uri).level is Level.OK
        assert list(tmp_path.iterdir()) == []
    assert look(tmp_path, f"sqlite:///{tmp_path}/no/where.db").level is Level.FAILED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_only_be_read(store: Path, tmp_path: Path) -> None:
    store.chmod(0o400)
    finding = look(tmp_path, f"sqlite:///{store}")
    assert finding.level is Level.FAILED and "readonly" in finding.text


def test_no_secret_is_shown(tmp_path: Path) -> None:
    for uri in ("http://me:s3cr3t@127.0.0.1:1", "postgresql://me:s3cr3t@127.0.0.1:1/db"):
        finding = look(tmp_path, uri)
        assert finding.level is Level.FAILED and "me:***@127.0.0.1:1" in finding.text
        assert "s3cr3t" not in finding.text + finding.cure


@pytest.mark.slow
def test_a_server_keeps_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "server")
    server.start()
    try:
        finding = look(tmp_path, server.uri)
        assert finding.level is Level.OK and "writes work" in finding.text, finding
        client = MlflowClient(server.uri)
        (experiment,) = client.search_experiments(ViewType.ALL)
        assert not experiment.tags and not client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
    finally:
        server.kill()
    with sqlite3.connect(tmp_path / "server" / "server.db") as database:
        assert database.execute("SELECT count(*) FROM experiment_tags").fetchone() == (0,)
