"""MLflow's own UI on a sweep's store."""

import os
import sys

import click

from orchestrator.results.store import SweepInfo


def serve_ui(info: SweepInfo, port: int) -> None:
    """Replace this process by MLflow's server; for a sweep tracked on a server, say where that is."""
    if info.tracking_uri.startswith("http"):
        click.echo(f"{info.sweep} is tracked at {info.tracking_uri}, experiment {info.space}")
        return
    click.echo(f"MLflow shows {info.sweep} at http://127.0.0.1:{port}, experiment {info.space} (Ctrl-C ends it)")
    sys.stdout.flush()
    arguments = ["--backend-store-uri", info.tracking_uri, "--host", "127.0.0.1", "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *arguments])
