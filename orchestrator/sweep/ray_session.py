"""Connects to Ray, and keeps its log output off the screen."""

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # only `Screen` writes to the terminal
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the recorder writes all results
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # the driver's own handler stops the gangs too

import psutil
import ray
from ray.exceptions import AuthenticationError

from cluster.token import sends_token, token_source, why_refused
from orchestrator.sweep.driver_mark import marking_children
from orchestrator.sweep.loopback import on_loopback
from orchestrator.sweep.own_sessions import own_sessions
from orchestrator.sweep.signals import keeping_handlers
from trainers.errors import UserError, shortened
from trainers.masking import MaskedFile, has_secret, masked

_WATCHER = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"

# Environment variables of rendered clusters: Ray itself does not tell what its autoscaler may start (ray 2.60).
MAY_HAVE_CPUS, MAY_HAVE_GPUS = "GAN_SWEEP_CLUSTER_CPUS", "GAN_SWEEP_CLUSTER_GPUS"
CONNECT_S = 5.0
HEALTH_S = 60.0  # the check imports Ray, which takes long on busy cores
EXIT_S = 3.0  # after Ray's shutdown, its processes get this long to exit

log = logging.getLogger(__name__)


class WantsToken(UserError):
    """A cluster wants a token, and did not get the right one."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the Ray cluster at --address {address} {why_refused()}")


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to Ray: a new instance on this machine, or the cluster at `address` (``HOST:PORT`` or ``auto``).

    A Ray that the process is already connected to is used instead, and stays connected.

    Raises:
        UserError: nothing answers at the address, or another version of Ray or Python does.
    """
    if address is not None:
        check_answers(address)
    if ray.is_initialized():
        yield
        return
    _mask_command_line()
    # Errors only: Ray Train's cleaner warns every second that it cannot reach a dashboard, and there is none.
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "logging_config": ray.LoggingConfig(log_level="ERROR")}
    if address is None:
        cpus = len(os.sched_getaffinity(0))  # for ranks alone: whatever else there is asks for none
        with own_sessions(), on_loopback(), marking_children(), keeping_handlers():
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
    else:
        try:
            with keeping_handlers():
                ray.init(address=address, **quiet)
        except AuthenticationError:
            raise WantsToken(address) from None
        except (ConnectionError, ValueError, RuntimeError) as error:
            said = " ".join(masked(str(error)).split())  # versions that differ stand in lines of their own
            raise UserError(f"no Ray cluster at --address {address}: {said}") from None
    try:
        yield
    finally:
        log.info("Ray shuts down")
        workers = _worker_processes() if address is None else []
        ray.shutdown()
        _end_leftover_workers(workers)


@contextlib.contextmanager
def nobody_tells_of_nodes(address: str | None) -> Iterator[None]:
    """Do without Ray Train's preemption watcher in the block where Ray runs on one machine: it takes 2 s of CPU.

    Elsewhere it tells gangs that a node goes. Only in the block, since child processes inherit the environment, and
    may join a cluster. The user's own choice wins.
    """
    if address is not None or _WATCHER in os.environ:
        yield
        return
    os.environ[_WATCHER] = "0"
    try:
        yield
    finally:
        del os.environ[_WATCHER]


def _mask_command_line() -> None:
    """Mask the secrets of this process's command line, which `ps` shows and Ray keeps in its table of jobs."""
    words = " ".join(psutil.Process().cmdline())
    if has_secret(words):
        ray._raylet.setproctitle(masked(words))  # type: ignore[attr-defined]


def _worker_processes() -> list[psutil.Process]:
    """The worker processes of the Ray that this process started."""
    raylets = [child for child in psutil.Process().children() if child.name() == "raylet"]
    return [worker for raylet in raylets for worker in raylet.children(recursive=True)]


def _end_leftover_workers(processes: list[psutil.Process]) -> None:
    """Kill workers that outlive their Ray, as a busy one sometimes does."""
    _, alive = psutil.wait_procs(processes, timeout=EXIT_S)
    for process in alive:
        log.warning("ending %s", process)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=EXIT_S)


def cluster_size() -> tuple[int, int]:
    """CPUs and GPUs of the connected cluster, or those that it may grow to, where it says so.

    Raises:
        UserError: it says so in words that are no numbers.
    """
    has = ray.cluster_resources()
    return max(int(has.get("CPU", 0)), _may_have(MAY_HAVE_CPUS)), max(int(has.get("GPU", 0)), _may_have(MAY_HAVE_GPUS))


def _may_have(variable: str) -> int:
    text = os.environ.get(variable, "0")
    if not text.isdecimal():
        raise UserError(f"${variable} {shortened(text)}: must be a number, such as 8")
    return int(text)


def read_address(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None for ``auto``.

    Raises:
        UserError: it is neither.
    """
    if address == "auto":
        return None
    match = re.fullmatch(r"\[?([^\[\]/]+)\]?:0*(\d{1,5})", address)
    if match is None or int(match[2]) > 65535:
        raise UserError(f"--address {address!r}: write HOST:PORT of the cluster's head node, or auto")
    return match[1], int(match[2])


def check_answers(address: str) -> None:
    """Check the address before `ray.init`, which would try for a minute."""
    if (place := read_address(address)) is None:
        return
    try:
        socket.create_connection(place, timeout=CONNECT_S).close()
    except OSError as error:
        raise UserError(f"nothing answers at --address {address}: {error}") from None
    if sends_token() and token_source() is None:  # Ray would abort the process (ray 2.60)
        raise WantsToken(address)
    # `ray.init` compares the versions, and says them.
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--skip-version-check", "--address", address]
    try:
        asked = subprocess.run(check, capture_output=True, timeout=HEALTH_S, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"what answers at --address {address} is no Ray head node") from None
    if b"AuthenticationError" in asked.stderr:
        raise WantsToken(address)
    if asked.returncode != 0:
        last = masked(asked.stderr.decode(errors="replace").rstrip().rpartition("\n")[2])
        raise UserError(f"what answers at --address {address} is no healthy Ray {ray.__version__} head node: {last}")


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Redirect everything that Ray, Optuna, MLflow, the gangs and our code log or print to a file, secrets masked."""
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in ("orchestrator", "trainers")]
    libraries = [logging.getLogger(name) for name in ("ray", "ray.train", "ray.tune", "ray.data", "optuna", "mlflow")]
    before = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in (root, *ours, *libraries)]
    with (
        MaskedFile(open(path, "ab", buffering=0), encoding="utf-8", line_buffering=True) as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        for logger in libraries:
            logger.handlers[:], logger.propagate = [], True
        root.handlers[:] = [handler]
        for logger in (root, *ours):  # ours too: `connected` later sets the root's level to ERROR
            logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            for logger, handlers, propagate, level in before:
                logger.handlers[:], logger.propagate = handlers, propagate
                logger.setLevel(level)
