"""A driver with a real Ray gets SIGKILL; what is left of its Ray is found and ended, another's is not touched."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from orchestrator.sweep.driver_mark import MARK, DriverMark
from orchestrator.sweep.orphans import end_orphans, find_orphans, find_own

DRIVER = """
import os, subprocess, time, ray
from orchestrator.sweep.ray_session import connected

@ray.remote
class Actor:
    def leave_one(self):
        stubborn = "(trap '' TERM; exec sleep 600) > /dev/null & echo $!"
        return os.getpid(), int(subprocess.check_output(["sh", "-c", stubborn], start_new_session=True))

with connected(None):
    actor = Actor.remote()
    print(*ray.get(actor.leave_one.remote()), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def driver() -> Iterator[tuple[subprocess.Popen[str], psutil.Process, psutil.Process]]:
    """A driver in a process of its own, the worker of its actor, and what that has started; it ignores SIGTERM."""
    process = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        worker, stubborn = map(int, process.stdout.readline().split())
        yield process, psutil.Process(worker), psutil.Process(stubborn)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        end_orphans(print)


def test_what_a_killed_driver_leaves_is_ended(
    driver: tuple[subprocess.Popen[str], psutil.Process, psutil.Process],
) -> None:
    process, worker, stubborn = driver
    servers = psutil.Process(process.pid).children()
    marks = {server.environ()[MARK] for server in (*servers, worker, stubborn)}
    assert {"gcs_server", "raylet"} <= {server.name() for server in servers} and len(marks) == 1
    assert not {psutil.Process(process.pid), worker, stubborn, *servers} & set(find_orphans()), "their driver lives"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie is gone too
    assert stubborn in find_orphans()
    said: list[str] = []
    assert end_orphans(said.append) >= 1
    assert len(said) == 1 and "that a killed sweep's Ray had left" in said[0]
    assert not any(one.is_running() for one in (stubborn, worker, *servers)) and find_orphans() == []
    assert end_orphans(said.append) == 0 and len(said) == 1, "nothing left, nothing said"


def test_this_process_finds_its_own_ray_and_does_not_call_it_orphaned(ray_instance: None) -> None:
    own = find_own()
    assert {"gcs_server", "raylet"} <= {process.name() for process in own}
    assert not set(own) & set(find_orphans())


def test_a_mark_tells_drivers_apart() -> None:
    own = DriverMark.own()
    assert DriverMark.parse(str(own)) == own and not own.driver_is_gone()
    earlier = DriverMark(pid=own.pid, started=own.started - 1, namespace=own.namespace)
    assert earlier.driver_is_gone(), "another process has its id now"
    elsewhere = DriverMark(pid=own.pid, started=own.started - 1, namespace="pid:[1]")
    assert not elsewhere.driver_is_gone(), "nobody knows from here"
    assert [DriverMark.parse(text) for text in ("", "1", "1/2", "1/2/", "x/2/y")] == [None] * 5


def test_a_zombie_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    stat = DriverMark(pid=child.pid, started=_started(child.pid), namespace=DriverMark.own().namespace)
    assert not stat.driver_is_gone()
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert stat.driver_is_gone()
    child.wait()
    assert stat.driver_is_gone()


def _started(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])
