"""``gan-sweep ui``: the address is printed when the page can be opened, not before."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.results.verdict import SweepStatus
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from tests.orchestrator.sweep_helpers import PLAN, begun, close


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_store_that_is_gone_is_one_line(tmp_path: Path) -> None:
    begun(tmp_path / "s", replace(PLAN, tracking_uri=f"sqlite:///{tmp_path / 'gone.db'}"))
    result = CliRunner().invoke(main, ["ui", str(tmp_path / "s")])
    assert result.exit_code == 2 and "which is not there: was the sweep moved?" in result.stderr
    assert not (tmp_path / "gone.db").exists()


def test_without_a_name_stores_are_listed_where_there_are_several(tmp_path: Path) -> None:
    for name in ("one", "other"):
        begun(tmp_path / name, replace(PLAN, sweep=name, tracking_uri=f"sqlite:///{tmp_path}/{name}/mlflow.db"))
    result = CliRunner().invoke(main, ["ui", "--sweeps-dir", str(tmp_path)])
    assert result.exit_code == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.endswith("open one:") and [line.split() for line in lines] == [
        ["gan-sweep", "ui", f"{tmp_path}/{name}", f"sqlite:///{tmp_path}/{name}/mlflow.db"] for name in ("one", "other")
    ]
    (tmp_path / "other" / "plan.json").write_text("{")
    result = CliRunner().invoke(main, ["ui", "--sweeps-dir", str(tmp_path)])
    assert "left out: " in result.stderr and "other/plan.json is damaged" in result.stderr
    assert result.exit_code == 2 and "one/mlflow.db, which is not there" in result.stderr, "the other is opened"
    empty = CliRunner().invoke(main, ["ui", "--sweeps-dir", str(tmp_path / "one" / "trials")])
    assert empty.exit_code == 2 and "no sweeps in" in empty.stderr


@pytest.mark.slow
def test_the_page_answers_when_its_address_is_printed(tmp_path: Path) -> None:
    plan = replace(PLAN, tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    store = begun(tmp_path / "s", plan)
    close(store, SweepStatus.FINISHED)
    tracker = MlflowTracker(store.directory, plan, plan.tracking_uri)
    tracker.start()
    tracker.close(patience_s=600)
    assert tracker.missing == ""
    server = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "ui", "--sweeps-dir", str(tmp_path), "--port", str(free_port())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == "starting MLflow's server, some 10 s ...\n"
        said = next(line for line in server.stdout if line.startswith("MLflow shows"))
        with urlopen(said.split(" at ")[1].split("#")[0]) as page:
            assert page.status == 200
        processes = (psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True))
        places = [place for process in processes for place in process.net_connections("inet")]
        assert {place.laddr.ip for place in places if place.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.stdout.close()
        assert server.stderr is not None
        assert server.stderr.read() == "", "MLflow's warnings are nobody's business here"
        server.stderr.close()
    assert server.wait(60) in (0, 130, -signal.SIGINT)
