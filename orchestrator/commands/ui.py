"""``gan-sweep ui``: starts MLflow's UI on the store of a sweep, or of all sweeps of a folder."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.parameters import SweepToFind, Text, Whole
from orchestrator.commands.shared import sweeps_dir_option, tracking_uri_option, with_secrets
from orchestrator.results.argument import files_argument_of
from orchestrator.serving.address import reserve
from trainers.errors import UserError
from trainers.masking import masked
from trainers.remote import shown, uri_of

if TYPE_CHECKING:
    from orchestrator.results.saved_plan import SavedPlan


_LOOK_S = 0.2  # between looks at whether the server listens
_HOME = "127.0.0.1"


@click.command("ui")
@click.argument("sweep", type=SweepToFind(), required=False)
@click.option(
    "--host", type=Text(), default=_HOME, show_default=True, metavar="H", help="Address to listen at; 0.0.0.0: all."
)
@click.option(
    "--port", type=Whole(1, 65535), default=5000, show_default=True, metavar="N", help="Port on this machine."
)
@click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser.")
@tracking_uri_option
@sweeps_dir_option
def command(
    sweep: str | None, host: str, port: int, in_browser: bool, tracking_uri: str | None, sweeps_dir: Path
) -> None:
    """Open MLflow on SWEEP, or on all sweeps where they are in one store."""
    from orchestrator.results.store import find_sweep, sweep_names

    with reserve(host, 0):  # its port is looked at when it is needed
        pass
    if sweep is not None:
        plans = [with_secrets(find_sweep(sweep, sweeps_dir).read_plan(), tracking_uri)]
    elif names := sweep_names(sweeps_dir):
        plans = _plans_of(names, sweeps_dir)
    else:
        raise UserError(f"no sweeps in {shown(sweeps_dir)}")
    if len({plan.tracking_uri for plan in plans}) > 1:
        click.echo("these sweeps are tracked in several places; open one:")
        for plan in plans:
            command = f"gan-sweep ui {files_argument_of(sweeps_dir / plan.sweep)}"
            click.echo(f"  {command:<50} {plan.tracking_uri}")
        return
    if sweep is None:
        plans = [with_secrets(plan, tracking_uri) for plan in plans]
    sys.exit(serve_ui(plans, host, port, one=sweep is not None, in_browser=in_browser))


def _plans_of(names: list[str], sweeps_dir: Path) -> list[SavedPlan]:
    """Of sweeps that can be read; the others are said.

    Raises:
        UserError: none can be read.
    """
    from orchestrator.results.store import find_sweep

    plans, wrong = [], []
    for name in names:
        try:
            plans.append(find_sweep(name, sweeps_dir).read_plan())
        except UserError as error:
            wrong.append(str(error))
    if not plans:
        raise UserError(wrong[0])
    for text in wrong:
        click.echo(f"left out: {text}", err=True)
    return plans


def serve_ui(plans: list[SavedPlan], host: str, port: int, *, one: bool, in_browser: bool) -> int:
    """Run MLflow's server until Ctrl-C; for sweeps tracked on a server, print its address instead.

    The page's address is printed once the server listens: MLflow needs some 10 s to start.

    Args:
        plans: of sweeps in one store.
        host: address to listen at.
        port: likewise.
        one: show one sweep alone; if not, all sweeps of a space.
        in_browser: whether the first page is opened.

    Returns:
        The exit code.

    Raises:
        UserError: the port is taken, the store is gone, or the server does not start or answer.
    """
    uri = plans[0].tracking_uri
    if uri.startswith("http"):
        from orchestrator.tracking.mlflow_sink import check_tracking

        try:
            check_tracking(uri)
        except UserError as error:  # a browser elsewhere may reach it, or know its password
            names = ", ".join(plan.sweep for plan in plans)
            click.echo(f"{names} is tracked at {masked(uri)}, experiment {plans[0].space}; from here: {error}")
            return 0
        _show(masked(uri).rstrip("/"), plans, one=one, in_browser=in_browser)
        return 0
    _check_there(plans[0])
    with reserve(host, port):
        pass
    click.echo("starting MLflow's server, some 10 s ...")
    sys.stdout.flush()
    from orchestrator.tracking.new_database import gather_statistics  # takes some 2 s

    gather_statistics(uri)
    arguments = ["--host", host, "--port", str(port), "--workers", "1"]
    store = os.environ | {"MLFLOW_BACKEND_STORE_URI": uri}  # `ps` shows arguments to everybody
    if host != _HOME:  # MLflow refuses requests to names that it was not told
        store |= {"MLFLOW_SERVER_ALLOWED_HOSTS": "*"}
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "mlflow", "server", *arguments]
        with _ended_with_us(subprocess.Popen(command, env=store, stdout=said, stderr=said)) as server:
            while not _listens(host, port):
                with contextlib.suppress(subprocess.TimeoutExpired):  # it still starts: look again
                    code = server.wait(_LOOK_S)
                    said.seek(0)
                    last = (said.read().strip().splitlines() or ["it said nothing"])[-1]
                    raise UserError(f"MLflow's server ended with exit code {code} before it listened: {last}")
            address = socket.getfqdn() if host in ("0.0.0.0", "::") else host
            _show(f"http://{address}:{port}", plans, one=one, in_browser=in_browser)
            click.echo("Ctrl-C ends it")
            sys.stdout.flush()
            return server.wait()


def _check_there(info: SavedPlan) -> None:
    """Check that the file of a store is there.

    Raises:
        UserError: it is not.
    """
    file = Path(info.tracking_uri.removeprefix("sqlite:///"))
    if info.tracking_uri.startswith("sqlite:///") and not file.is_file():
        remote = uri_of(file.parent.parent) is not None
        cure = f"`gan-sweep sync {files_argument_of(file.parent)}` writes it" if remote else "was the sweep moved?"
        raise UserError(f"{info.sweep} is tracked in {file}, which is not there: {cure}")


def _show(server: str, plans: list[SavedPlan], *, one: bool, in_browser: bool) -> None:
    """Print where sweeps are shown, and open the first page."""
    from orchestrator.tracking.view import pages

    shown_pages = pages(plans, one=one)
    for what, table, charts in shown_pages:
        click.echo(f"MLflow shows {what} at {server}/{table}")
        if charts:
            click.echo(f"  its charts at {server}/{charts}")
    if in_browser:
        webbrowser.open(f"{server}/{shown_pages[0][1]}")


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


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
