"""``gan-sweep doctor``: what is wrong with this machine or a cluster, before a sweep finds out."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from orchestrator.commands.parameters import FolderToRead, Text
from orchestrator.commands.shared import sweeps_dir_option

if TYPE_CHECKING:
    from orchestrator.doctor.finding import Finding


@click.command("doctor")
@click.option("--address", type=Text(), metavar="ADDR", help="A running Ray cluster, HOST:PORT or auto.")
@click.option("--data", type=FolderToRead(), metavar="DIR", help="Folder of images, as every node must see it.")
@click.option(
    "--tracking-uri", type=Text(), metavar="URI", help="MLflow's store or server. [default: SQLite in the sweep]"
)
@sweeps_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(address: str | None, data: Path | None, tracking_uri: str | None, sweeps_dir: Path, as_json: bool) -> None:
    """Check that a sweep can run here, or on a cluster. Exit code 1 where something fails."""
    from orchestrator.doctor.examine import examine
    from orchestrator.doctor.finding import Asked, Level
    from orchestrator.plan.plan import resolve_tracking_uri
    from orchestrator.sweep.ray_session import read_address

    if address is not None:
        read_address(address)
    asked = Asked(
        address=address,
        data=None if data is None else data.resolve(),
        sweeps_dir=sweeps_dir.resolve(),
        tracking_uri=None if tracking_uri is None else resolve_tracking_uri(tracking_uri, sweeps_dir),
    )
    screen, found = sys.stdout, []
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints what its workers print
        for finding in examine(asked):
            found.append(finding)
            if not as_json:
                _print(finding, screen)
    failed = any(finding.level is Level.FAILED for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "findings": [vars(finding) for finding in found]}, indent=1))
    sys.exit(int(failed))


def _print(finding: Finding, screen: TextIO) -> None:
    click.echo(f"{finding.level:<8}{finding.name:<18}{finding.text}", file=screen)
    if finding.cure:
        click.echo(f"{'':<8}{'':<18}-> {finding.cure}", file=screen)
