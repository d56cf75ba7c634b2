"""CUDA MPS is started once per node and stopped after the last rank, however the ranks end.

NVIDIA's tool cannot be had here: a stand-in of its name writes down what it is told, and starts a process that does
nothing. The ranks are real processes.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import psutil
import pytest

from orchestrator.plan.resources import Resources
from orchestrator.sweep import mps
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.mps import CONTROL, LOGS, PIPES, place
from orchestrator.sweep.shares_gpu import SharesGpu
from tests.faults.waiting import wait_until

STAND_IN = """#!/bin/sh
pipes="${CUDA_MPS_PIPE_DIRECTORY:-$MPS_DEFAULT}"
if [ "$1" = -d ]; then
    echo "start ${CUDA_VISIBLE_DEVICES-all} $CUDA_MPS_LOG_DIRECTORY" >> "$MPS_RECORD"
    [ -z "$MPS_BROKEN" ] || { echo "starting"; echo "$MPS_BROKEN" >&2; exit 1; }
    setsid sleep 1000 &  # it keeps the files that it was given open, as a daemon may
    echo $! > "$pipes/pid"
    exit 0
fi
read -r word
grep -q '^State:.[^ZX]' "/proc/$(cat "$pipes/pid" 2> /dev/null)/status" 2> /dev/null || exit 1
[ "$word" = get_server_list ] || echo "$word" >> "$MPS_RECORD"
[ "$word" != quit ] || { kill "$(cat "$pipes/pid")"; rm "$pipes/pid"; }
"""
RANK = """
import os, sys
from pathlib import Path
from orchestrator.sweep.mps import PIPES, use_mps
said = use_mps(Path(sys.argv[1]), [sys.executable, "-c", sys.argv[2]])
print(f"{os.environ.get(PIPES, '')}|{said}", flush=True)
sys.stdin.read()
"""
WORKS = "import os, sys; sys.exit('CUDA_MPS_PIPE_DIRECTORY' not in os.environ)"


class Node:
    """A machine with the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.record, self.sweep = folder / "record", folder / "sweep"
        self.temporary = Path(tempfile.mkdtemp(prefix="mps-", dir="/tmp"))  # pytest's own paths are too long for it
        self.programs = folder / "bin"
        self.env = {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "MPS_RECORD": str(self.record),
            "MPS_DEFAULT": str(folder / "default"),
            "TMPDIR": str(self.temporary),
            "CUDA_VISIBLE_DEVICES": "1",  # as Ray sets it for a rank
        }
        self.env.pop(PIPES, None)
        self.ranks: list[subprocess.Popen[str]] = []
        for made in (self.programs, folder / "default"):
            made.mkdir()
        (self.programs / CONTROL).write_text(STAND_IN)
        (self.programs / CONTROL).chmod(0o755)

    def begin(self, probe: str = WORKS, **env: str) -> subprocess.Popen[str]:
        command, pipe = [sys.executable, "-c", RANK, str(self.sweep), probe], subprocess.PIPE
        rank = subprocess.Popen(command, env=self.env | env, stdin=pipe, stdout=pipe, text=True)
        self.ranks.append(rank)
        return rank

    def rank(self, probe: str = WORKS, **env: str) -> tuple[subprocess.Popen[str], str, str]:
        """A rank that has begun, the daemon that it uses, and what it says."""
        rank = self.begin(probe, **env)
        return rank, *heard(rank)

    @property
    def folder(self) -> Path:
        (folder,) = self.temporary.iterdir()
        return folder

    def told(self) -> list[str]:
        """What the stand-in was told to do."""
        return [line.split()[0] for line in self.record.read_text().splitlines()] if self.record.exists() else []

    def daemon(self) -> psutil.Process:
        return psutil.Process(int((self.folder / "pipe" / "pid").read_text()))

    def keepers(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if mps.__file__ in words and str(self.folder) in words:
                found.append(process)
        return found

    @contextlib.contextmanager
    def locked(self, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[str]]:
        """One of the sweep's files, locked as by another process of the node."""
        monkeypatch.setattr("tempfile.tempdir", str(self.temporary))
        place(self.sweep).mkdir()
        with (place(self.sweep) / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def wait_until_clear(self) -> None:
        wait_until("the folder is cleared away", lambda: not list(self.temporary.iterdir()), 60)


def waiting_for(file: IO[str]) -> int:
    """How many processes wait for a lock on it."""
    inode = os.fstat(file.fileno()).st_ino
    return sum("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


def heard(rank: subprocess.Popen[str]) -> tuple[str, str]:
    assert rank.stdout is not None
    uses, _, said = rank.stdout.readline().strip().partition("|")
    return uses, said


def leaves(rank: subprocess.Popen[str]) -> None:
    assert rank.stdin is not None
    rank.stdin.close()
    assert rank.wait(60) == 0


def killed(rank: subprocess.Popen[str]) -> None:
    rank.send_signal(signal.SIGKILL)
    rank.wait(60)


def is_dead(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE  # where nobody reaps


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    for rank in node.ranks:
        with rank:  # closes its pipes
            rank.kill()
    node.wait_until_clear()  # nothing is left behind, whatever a test has done
    node.temporary.rmdir()


@pytest.mark.parametrize("last", [leaves, killed])
def test_one_daemon_serves_all_ranks_and_is_stopped_after_the_last(
    node: Node, last: Callable[[subprocess.Popen[str]], None]
) -> None:
    first, uses, said = node.rank()
    second, *rest = node.rank()
    assert said == "" and uses == str(node.folder / "pipe") and rest == [uses, ""]
    assert node.folder.stat().st_mode & 0o777 == 0o700
    killed(first)
    third, *rest = node.rank()  # as a gang that was started again
    assert rest == [uses, ""] and node.told() == ["start"]
    leaves(second)
    daemon = node.daemon()
    last(third)
    node.wait_until_clear()
    assert node.told() == ["start", "quit"]
    wait_until("the daemon is dead", lambda: is_dead(daemon), 60)


def test_ranks_that_come_at_once_start_one_daemon_of_all_gpus(node: Node) -> None:
    ranks = [node.begin() for _ in range(5)]
    assert {heard(rank) for rank in ranks} == {(str(node.folder / "pipe"), "")}
    assert node.record.read_text() == f"start all {node.folder / 'log'}\n"


def test_a_later_sweep_starts_its_own(node: Node) -> None:
    for _ in range(2):
        rank, *_ = node.rank()
        killed(rank)
        node.wait_until_clear()
    assert node.told() == ["start", "quit"] * 2


def test_a_rank_that_comes_while_the_last_goes_finds_a_daemon(node: Node) -> None:
    rank, *_ = node.rank()
    for _ in range(3):
        rank.send_signal(signal.SIGKILL)  # and no wait for the keeper
        rank, uses, said = node.rank()
        assert (uses, said) == (str(node.folder / "pipe"), "") and node.daemon().is_running()


def test_ranks_wait_while_another_starts_the_daemon(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    with node.locked("starting", monkeypatch) as file:
        ranks = [node.begin() for _ in range(2)]
        wait_until("both wait", lambda: waiting_for(file) == 2, 60)
        assert not node.told()
    assert {heard(rank) for rank in ranks} == {(str(node.folder / "pipe"), "")} and node.told() == ["start"]


def test_a_rank_that_waited_for_a_keeper_begins_anew(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    with node.locked("users", monkeypatch) as file:
        rank = node.begin()
        wait_until("it waits", lambda: waiting_for(file) == 1, 60)
        shutil.rmtree(node.folder)
    assert heard(rank) == (str(node.folder / "pipe"), "") and (node.folder / "users").exists()


def test_where_it_cannot_be_started_one_rank_says_so(node: Node) -> None:
    outcomes = [node.rank(MPS_BROKEN="MPS is not supported")[1:] for _ in range(2)]
    line = "CUDA MPS cannot be started, trials share a GPU by time slices: MPS is not supported"
    assert outcomes == [("", line), ("", "")] and node.told() == ["start"]


def test_a_daemon_that_no_process_can_use_is_stopped_again(node: Node) -> None:
    _, uses, said = node.rank(probe="import sys; sys.exit('Traceback\\nRuntimeError: CUDA error 805')")
    assert (
        uses == "" and said.endswith("time slices: RuntimeError: CUDA error 805") and node.told() == ["start", "quit"]
    )


def test_a_folder_of_that_name_is_not_trusted(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(node.temporary))
    (tmp_path / "elsewhere").mkdir()
    link = place(node.sweep)
    link.symlink_to(tmp_path / "elsewhere")
    _, uses, said = node.rank()
    link.unlink()
    assert uses == "" and said.endswith("is another user's") and not node.told()


@pytest.mark.parametrize("chosen", ["by the user", "by the administrator", "not there"])
def test_what_the_user_has_chosen_stays(node: Node, tmp_path: Path, chosen: str) -> None:
    env = {PIPES: "/own"} if chosen == "by the user" else {}
    if chosen == "by the administrator":
        (tmp_path / "default" / "pid").write_text(str(os.getpid()))
    if chosen == "not there":
        (node.programs / CONTROL).unlink()
    assert node.rank(**env)[1:] == (env.get(PIPES, ""), "")
    assert not node.told() and not list(node.temporary.iterdir())


def test_a_daemon_and_a_keeper_that_have_died_are_replaced(node: Node) -> None:
    node.rank()
    (keeper,) = node.keepers()
    for process in (node.daemon(), keeper):
        process.kill()
        wait_until("it is dead", lambda process=process: is_dead(process), 60)
    node.rank()
    assert node.told() == ["start", "start"]
    wait_until("there is another keeper", lambda: len(node.keepers()) == 1, 60)


def test_a_long_temporary_directory_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for temporary in ("/tmp", f"/{'x' * 70}"):
        monkeypatch.setattr("tempfile.tempdir", temporary)
        assert place(Path("/sweeps/s")).parent == Path("/tmp")
        assert len(str(place(Path("/sweeps/s")) / "pipe" / "control_privileged")) < 108
    assert place(Path("/sweeps/s")) != place(Path("/sweeps/t"))


@pytest.mark.parametrize(("gpus", "shares"), [(0.0, False), (0.25, True), (1.0, False), (2.0, False)])
def test_gangs_that_share_a_gpu_use_it(
    gpus: float, shares: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("orchestrator.sweep.elastic.GangTrainer", lambda *_, **parts: seen.update(parts))
    resources = Resources(gangs=1, workers=1, cpus=1.0, gpus=gpus, threads=1)
    setup = SimpleNamespace(broker=SimpleNamespace(work=print), resources=resources, directory=tmp_path)
    Gang(0, setup, tmp_path)._trainer(1, resources.per_rank, [1], None)  # type: ignore[arg-type]
    assert any(isinstance(one, SharesGpu) for one in seen["run_config"].callbacks) == shares


def test_the_ranks_environment_is_the_daemons(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback itself, in this process, which is never a rank."""
    for name, value in node.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(LOGS, "before")
    monkeypatch.setattr("tempfile.tempdir", str(node.temporary))
    monkeypatch.setattr(mps, "PROBE", ("true",))
    SharesGpu(node.sweep).after_init_train_context()
    assert os.environ[PIPES] == str(node.folder / "pipe") and os.environ[LOGS] == str(node.folder / "log")
    os.close(mps._held.pop())
