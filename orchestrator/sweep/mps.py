"""CUDA MPS on a node whose GPUs are shared: one daemon for all ranks of a sweep there, stopped after the last.

Without it the GPU turns to its processes one after another; with it their kernels run at once. The ranks of a node hold
a shared lock on one file as long as they live, so the kernel knows who is left, whatever way a rank has ended. A small
process, the keeper, waits for the lock for itself alone: it gets it when the last rank is gone, and stops the daemon
then. A rank could not: it is a client of the daemon, which waits for its clients, and one that is killed does nothing.

Imports the standard library alone: the keeper is this file.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
CONTROL_S, PROBE_S = 60.0, 300.0
_LONGEST = 60  # of the temporary directory's path: sockets in it must stay below 108
_USERS, _STARTING, _KEEPER, _REFUSED, _SAID = "users", "starting", "keeper", "refused", "start.log"
# That a daemon starts says little: its server starts with its first client, and one that cannot would end every rank.
PROBE = (sys.executable, "-c", "import torch; torch.zeros(1, device='cuda')")

_held: list[int] = []  # the lock's file, open until this process ends


def use_mps(sweep: Path, probe: Sequence[str] | None = None) -> str:
    """Make this process, which has not touched CUDA yet, a client of the sweep's daemon on this node.

    The first starts it. Where the node has no MPS, or the user has chosen one (`CUDA_MPS_PIPE_DIRECTORY`, or a daemon
    at its default place), nothing is done.

    Args:
        sweep: directory of the sweep.
        probe: command that uses a GPU, run as a daemon's first client; None: `PROBE`.

    Returns:
        Why it cannot be, one line for one rank of each node; empty: nothing is to be said.
    """
    if PIPES in os.environ or shutil.which(CONTROL) is None or _answers(os.environ):
        return ""
    folder, why = place(sweep), ""
    try:
        _held.append(_join(folder))
        with _alone(folder / _STARTING):
            _start_keeper(folder)
            refused, env = folder / _REFUSED, _with_places(folder)
            if not (refused.exists() or _answers(env)) and (why := _start(folder, env, probe or PROBE)):
                refused.write_text(why)
            if not refused.exists():
                os.environ.update({name: env[name] for name in (PIPES, LOGS)})
    except (OSError, subprocess.SubprocessError) as error:
        why = str(error)
    return why and f"CUDA MPS cannot be started, trials share a GPU by time slices: {why}"


def place(sweep: Path) -> Path:
    """The folder of a sweep's daemon on this node."""
    temporary = tempfile.gettempdir()
    name = hashlib.sha256(str(sweep).encode()).hexdigest()[:10]
    return Path(temporary if len(temporary) <= _LONGEST else "/tmp", f"gan-sweep-mps-{os.getuid()}-{name}")


def _with_places(folder: Path) -> dict[str, str]:
    return {**os.environ, PIPES: str(folder / "pipe"), LOGS: str(folder / "log")}


def _join(folder: Path) -> int:
    """Hold the users' lock together with the node's other ranks; waits while a keeper clears up after earlier ones."""
    while True:
        with contextlib.suppress(FileNotFoundError):  # cleared away just now
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                raise PermissionError(f"{folder} is another user's")
            file = os.open(folder / _USERS, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(file, fcntl.LOCK_SH)
            if _is_still(file, folder / _USERS):
                return file
            os.close(file)


def _is_still(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(folder: Path, env: Mapping[str, str], probe: Sequence[str]) -> str:
    """Start a daemon, and let a process use it; returns why it cannot be, empty where it can."""
    for name in (PIPES, LOGS):
        Path(env[name]).mkdir(mode=0o700, exist_ok=True)
    # Of all GPUs: a client's CUDA_VISIBLE_DEVICES, which Ray sets for each rank, counts among the daemon's.
    daemon = {name: value for name, value in env.items() if name != "CUDA_VISIBLE_DEVICES"}
    for command, its_env, limit in (((CONTROL, "-d"), daemon, CONTROL_S), (probe, env, PROBE_S)):
        if why := _run(command, its_env, folder / _SAID, limit):
            _tell(env, "quit")
            return why
    return ""


def _run(command: Sequence[str], env: Mapping[str, str], said: Path, limit: float) -> str:
    """Run a command; returns why it failed. Its words go to a file, since a daemon would hold a pipe open."""
    with said.open("w+") as out:
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=limit, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        out.seek(0)
        lines = out.read().strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"{command[0]} ended with {done.returncode}")


def _answers(env: Mapping[str, str]) -> bool:
    """Whether a daemon runs in the place that `env` says."""
    return _tell(env, "get_server_list")


def _tell(env: Mapping[str, str], word: str) -> bool:
    try:
        done = subprocess.run(
            [CONTROL], env=env, input=f"{word}\n", text=True, capture_output=True, timeout=CONTROL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _start_keeper(folder: Path) -> None:
    """Start the keeper of a folder whose users' lock this process holds; it goes where there is one already."""
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-I", __file__, str(folder)]
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, check=True)


def keep(folder: Path) -> None:
    """Wait until no rank is left, then stop the daemon and clear up."""
    with (folder / _KEEPER).open("w") as only, (folder / _USERS).open("r+") as users:
        try:
            fcntl.flock(only, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # there is one
            return
        fcntl.flock(users, fcntl.LOCK_EX)
        _tell(_with_places(folder), "quit")
        shutil.rmtree(folder)


if __name__ == "__main__":
    if os.fork() == 0:  # no child of the rank any longer: Ray ends those with it
        keep(Path(sys.argv[1]))
