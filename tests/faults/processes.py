"""The processes of a sweep: found, killed, and looked for afterwards."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import psutil

from tests.faults.waiting import wait_until

WATCH_S = 0.2
EXIT_S = 20.0  # after the driver's end, the last of its processes get this long
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)

# Titles that Ray gives its processes; a running method stands after a dot.
RANKS = "ray::RayTrainWorker"
CONTROLLER = "ray::TrainController"
BROKER = "ray::Broker"
TRAINABLES = "ray::ResourceTrainable"
RAYLET = "raylet"


class Server(Protocol):
    """A server of the suite's own."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def kill(self) -> None:
        """Kill it, if it runs."""


S = TypeVar("S", bound=Server)


@contextlib.contextmanager
def running(server: S) -> Iterator[S]:
    """Started, and killed at the end."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Family:
    """All processes that descend from some roots, those too whose parents have died.

    A thread looks for new ones, since the kernel forgets whose child a process was when its parent dies.
    """

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._ports: set[int] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="family", daemon=True)
        self._thread.start()

    def add(self, pid: int) -> None:
        """Add a root."""
        with self._lock:
            self._known[pid] = psutil.Process(pid)

    def living(self) -> list[psutil.Process]:
        """Those that are there; zombies are not."""
        self._look()
        with self._lock:
            known = list(self._known.values())
        return [process for process in known if _lives(process)]

    def titled(self, title: str) -> list[psutil.Process]:
        """Those whose title or program's name is `title`, or `title` and a method, the oldest first."""
        found = [process for process in self.living() if title_of(process) == title]
        return sorted(found, key=lambda process: process.create_time())

    def find(self, title: str, limit_s: float = 60.0) -> list[psutil.Process]:
        """As `titled`, when there is at least one."""
        return wait_until(f"a process {title}", lambda: self.titled(title), limit_s)

    def note_ports(self) -> None:
        """Remember the ports that they listen on."""
        mine = {process.pid for process in self.living()}
        self._ports |= {port for port, pid in _listeners() if pid in mine}

    def taken_ports(self) -> list[int]:
        """Of the ports that were noted, those that one of the family listens on; another Ray may use the same ones."""
        with self._lock:
            mine = set(self._known)
        return sorted({port for port, pid in _listeners() if port in self._ports and pid in mine})

    def leftovers(self, limit_s: float = EXIT_S) -> list[str]:
        """What has not gone after a while: ids and titles."""
        with contextlib.suppress(Exception):
            wait_until("their end", lambda: not self.living(), limit_s)
        return [f"{process.pid} {title_of(process)}" for process in self.living()]

    def end(self) -> None:
        """Kill whatever is left, and stop looking."""
        kill(self.living())
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(WATCH_S):
            self._look()

    def _look(self) -> None:
        with self._lock:
            everybody = list(psutil.process_iter())
            found = True
            while found:  # a child may come before its parent
                found = False
                for process in everybody:
                    with contextlib.suppress(*GONE):
                        parent = self._known.get(process.ppid())
                        if process.pid not in self._known and parent is not None and parent.is_running():
                            self._known[process.pid] = process
                            found = True


def kill(processes: Iterable[psutil.Process], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to each that is still there; returns when those that were killed are gone."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    if number is signal.SIGKILL:
        _reap(asked)


def _reap(processes: list[psutil.Process]) -> None:
    wait_until("the end of what was killed", lambda: not any(map(_lives, processes)), EXIT_S)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(*GONE):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def title_of(process: psutil.Process) -> str:
    """A process's title without its method where it is Ray's, else its program's name; empty where it is gone."""
    with contextlib.suppress(*GONE):
        first = (process.cmdline() or [""])[0]
        return first.split(".")[0] if first.startswith("ray::") else process.name()
    return ""


def _listeners() -> list[tuple[int, int | None]]:
    """Every TCP port that is listened on, and by whom."""
    everything = psutil.net_connections("tcp")
    return [(one.laddr.port, one.pid) for one in everything if one.status == psutil.CONN_LISTEN]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def user_or_nobody(name: str) -> dict[str, object]:
    """Options of `subprocess.Popen` that make a process another user's where we are root; else none."""
    return {"user": name, "group": name, "extra_groups": []} if os.getuid() == 0 else {}
