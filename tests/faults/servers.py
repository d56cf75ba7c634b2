"""An MLflow server that dies and comes back, and a second node of the cluster that dies and is replaced."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.processes import BROKER, CONTROLLER, EXIT_S, RANKS, TRAINABLES, Family, free_port, kill, running
from tests.faults.results import read_epochs
from tests.faults.rows import Row
from tests.faults.scenario import Fault, mend, strike_once
from tests.faults.sweep_under_fault import SweepUnderFault
from tests.faults.waiting import NotInTimeError, wait_until

START_S = 60.0


class MlflowServer:
    """``mlflow server`` with a database of its own, killed and started again at the same port.

    Args:
        folder: for its files.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder, self._store = folder, f"sqlite:///{folder / 'server.db'}"
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


class Cluster:
    """A Ray cluster of raylets on this machine, each with a loopback address of its own.

    Args:
        folder: for its files; made here.

    Attributes:
        family: its processes.
        wants: environment variables of who connects to it.
    """

    def __init__(self, folder: Path) -> None:
        self.family = Family()
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._folder, self._port = folder, free_port()
        folder.mkdir()
        token = folder / "token"
        token.write_text(secrets.token_hex(32))
        self.wants = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}

    @property
    def address(self) -> str:
        """Of its head."""
        return f"127.0.0.1:{self._port}"

    def start_head(self, cpus: int) -> None:
        """Start the head node, without room for ranks."""
        self._start("127.0.0.1", "--head", "--port", str(self._port), "--num-cpus", str(cpus))

    def add_node(self, number: int, cpus: int) -> subprocess.Popen[bytes]:
        """Start one more node; its process is the parent of its raylet."""
        return self._start(f"127.0.0.{number}", "--address", self.address, "--num-cpus", str(cpus))

    def kill_node(self, node: subprocess.Popen[bytes]) -> None:
        """SIGKILL of a node's raylet."""
        kill([one for one in psutil.Process(node.pid).children(recursive=True) if one.name() == "raylet"])

    def what_is_left(self) -> list[str]:
        """Actors and placement groups of a sweep that is over."""
        titles = (RANKS, CONTROLLER, BROKER, TRAINABLES)
        actors = lambda: [one for title in titles for one in self.family.titled(title)]  # noqa: E731
        with contextlib.suppress(NotInTimeError):
            wait_until("the end of the actors", lambda: not actors(), EXIT_S)
        left = [f"actor left: {process}" for process in actors()]
        return left + [f"placement group left: {state}" for state in self._placement_groups() if state != "REMOVED"]

    def end(self) -> None:
        """Kill all of it."""
        self.family.end()
        for node in self._nodes:
            node.wait(EXIT_S)

    def _placement_groups(self) -> list[str]:
        """The states of all that there were."""
        code = (
            "import json, ray, sys; ray.init(address=sys.argv[1], logging_level='ERROR'); "
            "print(json.dumps([group['state'] for group in ray.util.placement_group_table().values()]))"
        )
        asked = [sys.executable, "-c", code, self.address]
        said = subprocess.run(asked, env=self._env(), capture_output=True, text=True, check=True, timeout=START_S)
        states: list[str] = json.loads(said.stdout.splitlines()[-1])
        return states

    def _start(self, ip: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        place = ("--node-ip-address", ip, "--temp-dir", str(self._folder), "--include-dashboard=false")
        with (self._folder / "cluster.log").open("ab") as log:
            node = subprocess.Popen(
                [*command, *(place if "--head" in options else place[:2]), *options],
                env=self._env(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._nodes.append(node)
        self.family.add(node.pid)
        wait_until("a raylet", lambda: self._has_raylet(node), START_S)
        return node

    def _has_raylet(self, node: subprocess.Popen[bytes]) -> bool:
        assert node.poll() is None, "ray start ended"
        return any(child.name() == "raylet" for child in psutil.Process(node.pid).children(recursive=True))

    def _env(self) -> dict[str, str]:
        return {**os.environ, **self.wants, "OMP_NUM_THREADS": "1"}


def second_node_dies(bench: Bench) -> Row:
    """The node that the ranks run on loses its raylet; another joins the cluster then."""
    cluster = Cluster(bench.folder / "ray")
    try:
        cluster.start_head(cpus=1)
        node = cluster.add_node(2, cpus=2)
        options = ("--address", cluster.address, "--cpus-per-worker", "1")
        with bench.sweep("second-node", *options, env=cluster.wants) as sweep:

            def strike(_: SweepUnderFault) -> None:
                cluster.kill_node(node)
                cluster.add_node(3, cpus=2)

            strike_once(sweep, strike)
            sweep.finish()
            sweep.troubles += cluster.what_is_left()
            return judge("second-node", bench, sweep)
    finally:
        cluster.end()


def a_node_stays_away(bench: Bench) -> Row:
    """One of two nodes that a gang's two ranks run on loses its raylet, and none joins: one rank does the rest."""
    cluster = Cluster(bench.folder / "ray-of-two")
    try:
        cluster.start_head(cpus=1)
        node = cluster.add_node(2, cpus=1)
        options = ("--address", cluster.address, "--cpus-per-worker", "0.9", "--min-workers-per-trial", "1")
        with bench.sweep("fewer-ranks", *options, env=cluster.wants) as sweep:
            strike_once(sweep, lambda _: cluster.kill_node(node))
            sweep.finish()
            sweep.troubles += cluster.what_is_left() + with_fewer_ranks(read_epochs(sweep.directory))
            return judge("fewer-ranks", bench, sweep, rounded=True)
    finally:
        cluster.end()


def with_fewer_ranks(epochs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What is wrong with the numbers of ranks that trained the epochs of a sweep, by trial."""
    ranks = [line["metrics"]["workers"] for trial in sorted(epochs) for line in epochs[trial]]
    return [] if ranks == sorted(ranks, reverse=True) and set(ranks) == {1, 2} else [f"epochs had {ranks} ranks"]


FAULTS: dict[str, Fault] = {
    "mlflow-server": mlflow_dies,
    "second-node": second_node_dies,
    "fewer-ranks": a_node_stays_away,
}
