"""Hosts for real on one machine: network namespaces, joined by a bridge that has one of its own.

The machine's own interfaces, routes and names are never touched. Needs root, iproute2 and util-linux.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.faults.processes import EXIT_S
from tests.faults.ray_cluster import Host
from tests.faults.waiting import wait_until

NAMESPACES = Path("/run/netns")
NETWORK = "10.231.7"  # of the hosts alone: nothing leaves the bridge
TOOLS = ("ip", "nsenter")


class CannotMakeHostsError(Exception):
    """A tool is missing, or the rights are."""


class Network:
    """Hosts with the numbers 1 to `count`, each with a cable to one switch. They share files, processes and clock.

    Args:
        count: of hosts.
    """

    def __init__(self, count: int) -> None:
        self._name, self._count = f"gsf{os.getpid()}", count
        self._inodes: dict[int, int] = {}

    def start(self) -> None:
        """Make them.

        Raises:
            CannotMakeHostsError: why that is not possible; `end` removes what is there already.
        """
        if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
            raise CannotMakeHostsError(f"there is no {', '.join(missing)}: apt install iproute2 util-linux")
        try:
            self._make()
        except RuntimeError as error:
            raise CannotMakeHostsError(str(error)) from None

    def host(self, number: int) -> Host:
        """One of them."""
        return Host(ip=f"{NETWORK}.{number}", inside=("nsenter", f"--net={NAMESPACES / self._space(number)}", "--"))

    def cut(self, number: int) -> None:
        """Take a host's cable out of the switch: whatever is sent to it or by it is lost, and nobody is told."""
        _ip("-n", self._space(0), "link", "set", _port(number), "down")

    def mend(self, number: int) -> None:
        """Put the cable back."""
        _ip("-n", self._space(0), "link", "set", _port(number), "up")

    def host_of(self, process: psutil.Process) -> int | None:
        """The number of the host that a process is on; None where it is on none, gone, or hidden."""
        with contextlib.suppress(OSError):
            return self._inodes.get(Path(f"/proc/{process.pid}/ns/net").stat().st_ino)
        return None

    def end(self) -> None:
        """Remove them; the kernel removes their interfaces with them, as soon as no process is in one.

        Raises:
            NotInTimeError: a process still is.
            RuntimeError: the kernel still knows a name.
        """
        for space in self._spaces():
            _ip("netns", "delete", space)
        inside = lambda: any(self.host_of(process) for process in psutil.process_iter())  # noqa: E731
        wait_until("the end of the processes on the hosts", lambda: not inside(), EXIT_S)
        if left := self._spaces():
            raise RuntimeError(f"network namespaces left: {left}")

    def _make(self) -> None:
        _ip("netns", "add", self._space(0))
        _ip("-n", self._space(0), "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._space(0), "link", "set", "bridge", "up")
        for number in range(1, self._count + 1):
            space, port = self._space(number), _port(number)
            _ip("netns", "add", space)
            self._inodes[(NAMESPACES / space).stat().st_ino] = number
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", self._space(0))
            _ip("-n", space, "addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            _ip("-n", self._space(0), "link", "set", port, "master", "bridge", "up")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "route", "add", "default", "dev", "eth0")  # by it, Ray finds the host's own address

    def _space(self, number: int) -> str:
        """The namespace of a host; that of the switch has the number 0."""
        return f"{self._name}-{number}"

    def _spaces(self) -> list[str]:
        return sorted(path.name for path in NAMESPACES.glob(f"{self._name}-*"))


@contextlib.contextmanager
def hosts(count: int) -> Iterator[Network]:
    """So many, which are gone at the end.

    Raises:
        CannotMakeHostsError: there cannot be any.
    """
    network = Network(count)
    try:
        network.start()
        yield network
    finally:
        network.end()


def _port(number: int) -> str:
    return f"port{number}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
