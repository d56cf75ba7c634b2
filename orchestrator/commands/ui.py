"""``gan-sweep ui``: starts MLflow's UI on a sweep's store."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.results.store import SweepInfo


@click.command("ui")
@click.argument("sweep")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on this machine.")
@sweeps_dir_option
def command(sweep: str, port: int, sweeps_dir: Path) -> None:
    """Open MLflow on SWEEP."""
    from orchestrator.results.store import find_sweep

    serve_ui(find_sweep(sweep, sweeps_dir).read_info(), port)


def check_free(port: int) -> None:
    """Check that nothing listens on `port` of this machine.

    Raises:
        UserError: something does.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is taken: give another with --port")


def serve_ui(info: SweepInfo, port: int) -> None:
    """Replace this process by MLflow's server; for a sweep tracked on a server, print its address instead.

    Raises:
        UserError: the port is taken.
    """
    if info.tracking_uri.startswith("http"):
        click.echo(f"{info.sweep} is tracked at {info.tracking_uri}, experiment {info.space}")
        return
    check_free(port)
    from mlflow import MlflowClient

    experiment = MlflowClient(info.tracking_uri).get_experiment_by_name(info.space)
    page = f"#/experiments/{experiment.experiment_id}/runs" if experiment else ""
    click.echo(f"MLflow shows {info.sweep} at http://127.0.0.1:{port}/{page} (Ctrl-C ends it)")
    sys.stdout.flush()
    arguments = ["--backend-store-uri", info.tracking_uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *arguments])
