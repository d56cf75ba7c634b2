"""Connecting to Ray, and keeping its chatter off the screen."""

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
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the screen is ours
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the recorder keeps everything
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # ours stops the gangs too

import psutil
import ray

from trainers.errors import UserError, first_line

CONNECT_S = 5.0
HEALTH_S = 20.0
EXIT_S = 3.0  # a process that Ray has told to end gets this long

log = logging.getLogger(__name__)


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray: a new instance on this machine, or the cluster at `address` (``HOST:PORT`` or ``auto``).

    Uses the Ray that the process is already connected to, and leaves it, when there is one.

    Raises:
        UserError: nothing answers at the address.
    """
    if address is not None:
        _check_answers(address)
    if ray.is_initialized():
        yield
        return
    # Errors only: Ray Train's cleaner warns every second that it cannot ask a dashboard which is not there.
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "logging_config": ray.LoggingConfig(log_level="ERROR")}
    if address is None:
        cpus = len(os.sched_getaffinity(0)) + 1  # one more for relays and broker, which sleep
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
    else:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"no Ray cluster at --address {address}: {first_line(error)}") from None
    try:
        yield
    finally:
        workers = _workers() if address is None else []
        ray.shutdown()
        _see_off(workers)


def _workers() -> list[psutil.Process]:
    """What the Ray that this process started has started."""
    raylets = [child for child in psutil.Process().children() if child.name() == "raylet"]
    return [worker for raylet in raylets for worker in raylet.children(recursive=True)]


def _see_off(processes: list[psutil.Process]) -> None:
    """Now and then a worker that is still busy outlives its Ray."""
    _, alive = psutil.wait_procs(processes, timeout=EXIT_S)
    for process in alive:
        log.warning("ending %s", process)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=EXIT_S)


def cluster_size() -> tuple[int, int]:
    """CPUs and GPUs of the connected cluster."""
    resources = ray.cluster_resources()
    return int(resources.get("CPU", 0)), int(resources.get("GPU", 0))


def _check_answers(address: str) -> None:
    """Ray itself would try for a minute."""
    if address == "auto":
        return
    match = re.fullmatch(r"\[?([^\[\]/]+)\]?:(\d+)", address)
    if match is None:
        raise UserError(f"--address {address!r}: write HOST:PORT of the cluster's head node, or auto")
    try:
        socket.create_connection((match[1], int(match[2])), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"nothing answers at --address {address}: {error}") from None
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(check, capture_output=True, timeout=HEALTH_S, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"what answers at --address {address} is no Ray head node") from None
    if b"AuthenticationError" in asked.stderr:
        raise UserError(
            f"the Ray cluster at --address {address} wants its token: export RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN_PATH where the token is not in ~/.ray/auth_token"
        )
    if asked.returncode != 0:
        raise UserError(f"what answers at --address {address} is no healthy Ray {ray.__version__} head node")


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Send what Ray, Optuna, MLflow, the gangs and we log or print to a file instead of the screen."""
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in ("orchestrator", "trainers")]
    chatty = [logging.getLogger(name) for name in ("ray", "ray.train", "ray.tune", "ray.data", "optuna", "mlflow")]
    before = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in (root, *ours, *chatty)]
    with open(path, "a", buffering=1) as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        for logger in chatty:
            logger.handlers[:], logger.propagate = [], True
        root.handlers[:] = [handler]
        for logger in (root, *ours):  # ours for itself: `connected` sets the root's level to that of Ray's errors
            logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            for logger, handlers, propagate, level in before:
                logger.handlers[:], logger.propagate = handlers, propagate
                logger.setLevel(level)
