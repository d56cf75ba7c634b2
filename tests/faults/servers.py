"""An MLflow server that dies and comes back."""

import contextlib
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.processes import free_port, kill, running
from tests.faults.rows import Row
from tests.faults.scenario import Fault, mend, strike_once
from tests.faults.waiting import wait_until

START_S = 60.0


class MlflowServer:
    """``mlflow server``, killed and started again at the same port.

    Args:
        folder: for its files.
        store: its database; None: one of its own.
    """

    def __init__(self, folder: Path, store: str | None = None) -> None:
        self.port = free_port()
        self._folder, self._store = folder, store or f"sqlite:///{folder / 'server.db'}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """For clients."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        files = ("--backend-store-uri", self._store, "--artifacts-destination", str(self._folder / "artifacts"))
        place = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *files, *place],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until("MLflow's server", self._answers, START_S)

    def kill(self) -> None:
        """SIGKILL of all its processes."""
        assert self._process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            kill([parent, *parent.children(recursive=True)])
        self._process.wait()

    def kill_and_restart(self) -> None:
        """As it says; returns when it answers again."""
        self.kill()
        self.start()

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "MLflow's server ended"
        with contextlib.suppress(OSError, urllib.error.URLError):
            return urllib.request.urlopen(f"{self.uri}/health", timeout=5).status == 200
        return False


def mlflow_dies(bench: Bench) -> Row:
    """It is killed in mid-trial, and comes back when the trial after has begun."""
    with (
        running(MlflowServer(bench.folder / "mlflow")) as server,
        bench.sweep("mlflow-server", "--tracking-uri", server.uri) as sweep,
    ):
        sweep.tracking_uri = server.uri
        strike_once(sweep, lambda _: server.kill())
        mend(sweep, server.start, trial=3, epoch=1)
        sweep.finish()
        return judge("mlflow-server", bench, sweep)


FAULTS: dict[str, Fault] = {"mlflow-server": mlflow_dies}
