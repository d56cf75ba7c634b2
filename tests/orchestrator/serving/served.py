"""Untrained generators as checkpoints, and servers of them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.results.winner import Chosen
from orchestrator.serving.model import Model
from tests.contracts.family_cases import case_config, fresh_family
from trainers.checkpoint import Progress, save_checkpoint

DRAWING, CLASSES, TRANSLATING = "adversarial", "acgan", "cyclegan"


def checkpoint(folder: Path, case: str, overrides: dict[str, Any] | None = None) -> Path:
    """A checkpoint of a case of `family_cases`, of 32 px where `overrides` do not say otherwise."""
    config, path = case_config(case, overrides), folder / "best.pt"
    save_checkpoint(path, config, Progress(epoch=3), fresh_family(config).state_dict())
    return path


def model(folder: Path, case: str) -> Model:
    """It, loaded."""
    return Model.load(Chosen(checkpoint=checkpoint(folder, case)), "cpu")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(*words: str | Path, env: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the address that it says."""
    line = [sys.executable, "-m", "orchestrator.cli", "serve", *map(str, words), "--port", str(free_port())]
    server = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    assert server.stdout is not None and server.stderr is not None
    try:
        said = server.stdout.readline()
        assert said.startswith("serving "), said + server.stderr.read()
        yield server, said.split(": ")[1].split()[0]
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGKILL)
        server.wait()
        server.stdout.close()
        server.stderr.close()
