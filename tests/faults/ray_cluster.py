"""A Ray cluster of several nodes on this machine, started with ``ray start`` as its user would."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.faults.processes import BROKER, CONTROLLER, EXIT_S, RANKS, TRAINABLES, Family, free_port, kill
from tests.faults.waiting import NotInTimeError, wait_until

START_S = 60.0
ATTEMPTS = 3  # to start a node

_STARTED = "Ray runtime started."
_TOO_BUSY = "The current node timed out during startup."
_GROUPS = "print(json.dumps([group['state'] for group in ray.util.placement_group_table().values()]))"
_RESOURCES = """
nodes = [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]
print(json.dumps({"nodes": nodes, "total": ray.cluster_resources(), "free": ray.available_resources()}))
"""
_DEATH = """
while any(node['Alive'] for node in ray.nodes() if node['NodeManagerAddress'] == sys.argv[2]):
    time.sleep(0.2)
"""


class TooBusyError(RuntimeError):
    """Ray has given up on a node of its own."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where a node runs.

    Attributes:
        ip: its address; those of the loopback network are all this very machine.
        inside: words before a command that make it run there.
    """

    ip: str
    inside: tuple[str, ...] = ()


class Cluster:
    """A cluster without nodes at first.

    Args:
        folder: for its files; made here. Its path is short, since Ray puts sockets below it.

    Attributes:
        family: its processes.
        nodes: a process per node, the dead ones too; each is the parent of its raylet.
        wants: environment variables of who connects to it.
    """

    def __init__(self, folder: Path) -> None:
        self.family = Family()
        self._folder, self._port, self._jobs_port = folder, free_port(), free_port()
        self._head: Host | None = None
        self.nodes: list[subprocess.Popen[bytes]] = []
        folder.mkdir()
        token = folder / "token"
        token.write_text(secrets.token_hex(32))
        self.wants = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}

    @property
    def head(self) -> Host:
        """Where its head node runs."""
        assert self._head is not None
        return self._head

    @property
    def address(self) -> str:
        """Of its head."""
        return self.address_on(self.head)

    def address_on(self, host: Host) -> str:
        """Of its head, were it on this host."""
        return f"{host.ip}:{self._port}"

    @property
    def jobs(self) -> str:
        """Of its jobs server, where the head has one."""
        return f"http://{self.head.ip}:{self._jobs_port}"

    def start_head(self, host: Host, cpus: int, *options: str, jobs: bool = False) -> None:
        """Start the head node, with a server that takes jobs or without; `options` are more of ``ray start``."""
        self._head = host
        files = ("--temp-dir", str(self._folder))
        server = ("--dashboard-host", host.ip, "--dashboard-port", str(self._jobs_port))
        more = (*files, *(server if jobs else ("--include-dashboard=false",)), *options)
        self._start(host, "--head", "--port", str(self._port), "--num-cpus", str(cpus), *more)

    def add_node(self, host: Host, cpus: int) -> subprocess.Popen[bytes]:
        """Start one more node; its process is the parent of its raylet, and ends with it."""
        # Files of its own, as on another machine: Ray's agent of a node removes a job's folder before it unpacks it.
        files = ("--temp-dir", str(self._folder / f"n{len(self.nodes)}"))
        return self._start(host, "--address", self.address, "--num-cpus", str(cpus), *files)

    def kill_node(self, node: subprocess.Popen[bytes]) -> None:
        """SIGKILL of a node's raylet."""
        kill([one for one in psutil.Process(node.pid).children(recursive=True) if one.name() == "raylet"])

    def vanish(self, node: subprocess.Popen[bytes]) -> int:
        """SIGKILL of everything on a node, as when its machine is taken away; returns how many processes that were."""
        root = psutil.Process(node.pid)
        everything = [*root.children(recursive=True), root]
        kill(everything)
        return len(everything)

    def wait_for_death(self, host: Host, limit_s: float) -> None:
        """Return when the head takes a host's node for dead.

        Raises:
            TimeoutExpired: it does not.
        """
        self._ask(_DEATH, host.ip, limit_s=limit_s)

    def what_is_left(self) -> list[str]:
        """Actors and placement groups of a sweep that is over."""
        titles = (RANKS, CONTROLLER, BROKER, TRAINABLES)
        actors = lambda: [one for title in titles for one in self.family.titled(title)]  # noqa: E731
        with contextlib.suppress(NotInTimeError):
            wait_until("the end of the actors", lambda: not actors(), EXIT_S)
        left = [f"actor left: {process}" for process in actors()]
        states = json.loads(self._ask(_GROUPS, limit_s=START_S).splitlines()[-1])
        return left + [f"placement group left: {state}" for state in states if state != "REMOVED"]

    def resources(self) -> dict[str, Any]:
        """Addresses of its living nodes (`nodes`), and by name what they have (`total`), and have `free`."""
        found: dict[str, Any] = json.loads(self._ask(_RESOURCES, limit_s=START_S).splitlines()[-1])
        return found

    def end(self) -> None:
        """Kill all of it, and remove its files. Once is enough."""
        self.family.end()
        for node in self.nodes:
            node.wait()
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def _ask(self, code: str, *arguments: str, limit_s: float) -> str:
        """What some code says that is connected to the cluster; it has the modules json, ray, sys and time."""
        connect = "import json, ray, sys, time\nray.init(address=sys.argv[1], logging_level='ERROR')\n"
        command = [*self.head.inside, sys.executable, "-c", connect + code, self.address, *arguments]
        asked = subprocess.run(command, env=self._env(), capture_output=True, text=True, check=True, timeout=limit_s)
        return asked.stdout

    def _start(self, host: Host, *options: str) -> subprocess.Popen[bytes]:
        """Start a node; where this machine is so busy that Ray gives up after 30 s (ray 2.60), start it again."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(TooBusyError):
                return self._start_once(host, *options)
        return self._start_once(host, *options)

    def _start_once(self, host: Host, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        # Ray's agent has a fixed port otherwise: a second Ray on this machine would take no jobs.
        options = ("--dashboard-agent-listen-port", str(free_port()), *options)
        path = self._folder / f"node-{len(self.nodes)}.log"
        with path.open("wb") as log:
            node = subprocess.Popen(
                [*host.inside, *command, "--node-ip-address", host.ip, *options],
                env={**self._env(), "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.nodes.append(node)
        self.family.add(node.pid)

        def is_in_the_cluster() -> bool:  # which its raylet's process is not at once
            said = path.read_text()
            if node.poll() is not None:
                raise (TooBusyError if _TOO_BUSY in said else RuntimeError)(f"ray start ended: {said[-2000:]}")
            return _STARTED in said

        wait_until("a node", is_in_the_cluster, START_S)
        return node

    def _env(self) -> dict[str, str]:
        # Jobs call `python`: that of this environment, as on a machine where it is active.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **self.wants, "OMP_NUM_THREADS": "1", "PATH": path}


@contextlib.contextmanager
def ray_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster without nodes at first; all of it is killed at the end."""
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.end()
