"""``gan-sweep ui``: starts MLflow's UI on a sweep's store."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.parameters import SweepToFind, Whole
from orchestrator.commands.shared import sweeps_dir_option, tracking_uri_option, with_secrets
from orchestrator.results.argument import argument_of
from trainers.errors import UserError
from trainers.masking import masked
from trainers.remote import uri_of

if TYPE_CHECKING:
    from orchestrator.results.saved_plan import SavedPlan


_LOOK_S = 0.2  # between looks at whether the server listens


@click.command("ui")
@click.argument("sweep", type=SweepToFind())
@click.option(
    "--port", type=Whole(1, 65535), default=5000, show_default=True, metavar="N", help="Port on this machine."
)
@tracking_uri_option
@sweeps_dir_option
def command(sweep: str, port: int, tracking_uri: str | None, sweeps_dir: Path) -> None:
    """Open MLflow on SWEEP."""
    from orchestrator.results.store import find_sweep

    info = find_sweep(sweep, sweeps_dir).read_plan()
    sys.exit(serve_ui(with_secrets(info, tracking_uri), port))


def check_free(port: int) -> None:
    """Check that nothing listens on `port` of this machine.

    Raises:
        UserError: something does.
    """
    if _listens(port):
        raise UserError(f"port {port} is taken: give another with --port")


def serve_ui(info: SavedPlan, port: int) -> int:
    """Run MLflow's server until Ctrl-C; for a sweep tracked on a server, print its address instead.

    The page's address is printed once the server listens: MLflow needs some 10 s to start.

    Returns:
        The exit code.

    Raises:
        UserError: the port is taken, the sweep's store is gone, or the server does not start.
    """
    if info.tracking_uri.startswith("http"):
        click.echo(f"{info.sweep} is tracked at {masked(info.tracking_uri)}, experiment {info.space}")
        return 0
    file = Path(info.tracking_uri.removeprefix("sqlite:///"))
    if info.tracking_uri.startswith("sqlite:///") and not file.is_file():
        remote = uri_of(file.parent.parent) is not None
        cure = f"`gan-sweep sync {argument_of(file.parent)}` writes it" if remote else "was the sweep moved?"
        raise UserError(f"{info.sweep} is tracked in {file}, which is not there: {cure}")
    check_free(port)
    from mlflow import MlflowClient

    experiment = MlflowClient(info.tracking_uri).get_experiment_by_name(info.space)
    page = f"#/experiments/{experiment.experiment_id}/runs" if experiment else ""
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = os.environ | {"MLFLOW_BACKEND_STORE_URI": info.tracking_uri}  # `ps` shows arguments to everybody
    with _ended_with_us(subprocess.Popen([sys.executable, "-m", "mlflow", "ui", *arguments], env=store)) as server:
        while not _listens(port):
            with contextlib.suppress(subprocess.TimeoutExpired):  # it still starts: look again
                raise UserError(f"MLflow's server ended with exit code {server.wait(_LOOK_S)} before it listened")
        click.echo(f"MLflow shows {info.sweep} at http://127.0.0.1:{port}/{page} (Ctrl-C ends it)")
        sys.stdout.flush()
        return server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _ended_with_us(server: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Pass SIGTERM and Ctrl-C on to the server, and wait for it. A terminal sends Ctrl-C to both; it does no harm."""

    def pass_on(number: int, frame: Any) -> None:
        server.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield server
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if server.poll() is None:
            server.terminate()
            server.wait()
