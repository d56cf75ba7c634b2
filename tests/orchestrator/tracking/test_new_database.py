"""MLflow's SQLite file is made whole or not at all: a real process is killed while it makes one."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.results.verdict import SweepStatus
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from orchestrator.tracking.new_database import gather_statistics, make_database
from tests.orchestrator.sweep_helpers import begun, close, ended, keep
from tests.orchestrator.tracking.test_tracker import plan_at

# Dies when half of the tables are there: the whole file has some 900 KB.
DIES = """
import os, signal, sys, threading
from pathlib import Path
from orchestrator.tracking.new_database import make_database

folder = Path(sys.argv[1])

def watch():
    while sum(file.stat().st_size for file in folder.glob(".m.db.*.part")) < 200_000:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=watch, daemon=True).start()
make_database(f"sqlite:///{folder}/m.db", folder)
"""


def test_a_process_that_is_killed_while_it_makes_it_leaves_none(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "m.db").exists() and list(tmp_path.iterdir())
    make_database(f"sqlite:///{tmp_path}/m.db", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.db"]
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/m.db")
    client.create_experiment("x")
    content = (tmp_path / "m.db").read_bytes()
    make_database(f"sqlite:///{tmp_path}/m.db", tmp_path)
    assert (tmp_path / "m.db").read_bytes() == content, "one that is there is left alone"


def test_what_another_sweep_may_be_making_is_left(tmp_path: Path) -> None:
    (part := tmp_path / ".m.db.1.part").touch()
    make_database(f"sqlite:///{tmp_path}/m.db", tmp_path / "sweeps" / "s")
    assert part.exists()
    os.utime(part, (1.0, 1.0))
    (tmp_path / "m.db").unlink()
    make_database(f"sqlite:///{tmp_path}/m.db", tmp_path / "sweeps" / "s")
    assert not part.exists()


def test_other_uris_are_left_alone(tmp_path: Path) -> None:
    make_database("http://127.0.0.1:1", tmp_path)
    make_database("postgresql://127.0.0.1:1/x", tmp_path)


def test_two_sweeps_are_written_to_one_file_at_once(database: str, tmp_path: Path) -> None:
    """As sweeps of one folder are: whoever finds the file locked tries again."""
    trackers = []
    for name in ("one", "other"):
        plan = replace(plan_at(database), sweep=name, unique=name)
        store = begun(tmp_path / name, plan)
        keep(store, *(ended(f"{number:04d}", "completed", 50.0 + number) for number in range(8)))
        close(store, SweepStatus.FINISHED)
        trackers.append(MlflowTracker(store.directory, plan, database))
    for tracker in trackers:
        tracker.start()
    for tracker in trackers:
        tracker.close(patience_s=600)
    assert [tracker.missing for tracker in trackers] == ["", ""]
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name("x")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "tags.`gan_sweep.trial` != 'none'")
    assert len(found) == 16 and all(run.info.status == "FINISHED" for run in found)


def test_a_file_is_analysed_unless_it_is_busy(database: str, caplog: pytest.LogCaptureFixture) -> None:
    file = database.removeprefix("sqlite:///")
    MlflowClient(database).create_experiment("y")
    gather_statistics(database)
    caplog.set_level("WARNING", "orchestrator")  # Ray raises the root's level in this process
    with sqlite3.connect(file) as reader:
        assert reader.execute("select count(*) from sqlite_stat1 where tbl = 'experiments'").fetchone()[0] > 0
        reader.execute("begin exclusive")
        gather_statistics(database)
    assert "may be slow" in caplog.text
