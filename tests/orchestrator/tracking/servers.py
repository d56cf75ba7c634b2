"""A real MLflow server that can be killed, and a relay before it that can hold back requests and answers."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path


class Server:
    """An MLflow server on a port of its own, on one database however often it is started.

    Args:
        folder: for its artifacts, which it takes and gives for its clients; made when missing.
        store: URI of its database, with MLflow's tables or not there yet; None: one of its own in `folder`.
    """

    def __init__(self, folder: Path, store: str | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder, self._store = folder, store or f"sqlite:///{folder / 'server.db'}"
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1", *options]
        command += ["--backend-store-uri", self._store, "--artifacts-destination", str(self._folder / "artifacts")]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # eight processes more, and 2 GB
        self._process = subprocess.Popen(command, **pipes, env=env, text=True, start_new_session=True)
        assert self._process.stdout is not None
        assert any("Uvicorn running on" in line for line in self._process.stdout)  # it listens by then
        # A full pipe would hold the server up.
        self._drain = threading.Thread(target=deque, args=(self._process.stdout, 0), daemon=True)
        self._drain.start()

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._drain.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def kill_and_restart(self) -> None:
        """As it says; returns when it answers again."""
        self.kill()
        self.start()


class Relay:
    """Passes connections on to a server.

    Args:
        port: of the server.
        before: called with each request's first bytes before it is passed on; returns whether its answer is: if not,
            the client waits for it until it gives up.
    """

    def __init__(self, port: int, before: Callable[[bytes], bool]) -> None:
        self._port, self._before = port, before
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [client, server]
            answers = threading.Event()
            threading.Thread(target=self._ask, args=(client, server, answers), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server, answers), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, answers: threading.Event) -> None:
        try:
            while data := client.recv(1 << 16):
                if data.startswith((b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ")):
                    answers.set() if self._before(data) else answers.clear()
                server.sendall(data)  # whose end stays open: the server drops a request whose client is gone
        except OSError:
            return

    def _answer(self, client: socket.socket, server: socket.socket, answers: threading.Event) -> None:
        try:
            while data := server.recv(1 << 16):
                if answers.is_set():
                    client.sendall(data)
        except OSError:
            return


MakeRelay = Callable[[Callable[[bytes], bool]], Relay]
