"""The way from this machine to the head of a cluster."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cluster.actions import JOBS_PORT, ClusterFile, check_ready, command_for
from cluster.errors import ClusterError
from cluster.jobs import Head

OPENS_S = 60.0  # an SSH connection and what Ray's launcher asks the cloud before
_LOOK_S = 0.2
_ENDINGS = (".yaml", ".yml", ".sh")  # of cluster files


@contextlib.contextmanager
def reached(cluster: str) -> Iterator[Head]:
    """The head at an address; or that of the cluster in a file, through a tunnel that is there in the block.

    Args:
        cluster: ``http://HOST:8265``, ``HOST:8265``, or the path of a cluster file.

    Raises:
        ClusterError: there is no such file, its cluster does not answer, or as `Head`.
    """
    path = Path(cluster)
    if os.path.isfile(cluster):  # False too for what cannot be a path
        with _tunnel(ClusterFile.read(path)) as port:
            yield Head(f"http://127.0.0.1:{port}", given=cluster)
    elif os.path.isdir(cluster):
        raise ClusterError(f"--cluster {cluster[:200]}: is a folder; give a cluster file, or http://HOST:{JOBS_PORT}")
    elif path.suffix in _ENDINGS or ("/" in cluster and "://" not in cluster):
        raise ClusterError(f"--cluster {cluster[:200]}: no such file")
    else:
        yield Head(cluster)


@contextlib.contextmanager
def _tunnel(file: ClusterFile) -> Iterator[int]:
    """A port of this machine behind which the head's jobs server is."""
    port = _free_port()
    words = command_for("dashboard", file, port=port)
    check_ready(file.cloud)
    with tempfile.TemporaryFile() as said:
        # A session of its own: Ctrl-C ends the watching, and the last words with the head come after it.
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
        try:
            _wait(process, port, file)
            yield port
        except ClusterError as error:
            said.seek(0)
            lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
            if process.poll() is None or not lines:
                raise
            raise ClusterError(f"{error}: {lines[-1][:300]}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, file: ClusterFile) -> None:
    deadline = time.monotonic() + OPENS_S
    while process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if time.monotonic() > deadline:
            raise ClusterError(f"--cluster {file.path}: its head does not answer: gan-sweep cluster status {file.path}")
        time.sleep(_LOOK_S)
    raise ClusterError(f"--cluster {file.path}: no way to its head (gan-sweep cluster up {file.path} starts it)")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
