"""MLflow's SQLite file is made whole or not at all: a real process is killed while it makes one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.tracking.new_database import make_database

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
