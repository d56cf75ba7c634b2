"""``gan-sweep status``: how sweeps stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.running import end_of_the_dead
from orchestrator.commands.shared import names_of_sweeps, sweeps_dir_option
from trainers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.results.state import SweepState
    from orchestrator.results.store import ResultsStore


@click.command("status", cls=OnCluster)
@click.argument("sweep", type=SweepToFind(), required=False)
@cluster_option
@sweeps_dir_option
def command(sweep: str | None, sweeps_dir: Path) -> None:
    """Show how SWEEP stands, or all sweeps.

    Of a sweep whose driver has died, the end is written here, in MLflow too. What MLflow does not have is said.
    """
    from rich.console import Console

    from orchestrator.display.status_text import print_all, print_one
    from orchestrator.results.store import find_sweep

    console = Console()
    if sweep is not None:
        store = find_sweep(sweep, sweeps_dir)
        if isinstance(state := _read(store), str):
            raise UserError(state)
        print_one(console, store, state)
        return
    stores = [find_sweep(name, sweeps_dir) for name in names_of_sweeps(sweeps_dir)]
    print_all(console, [(store, _read(store)) for store in stores])


def _read(store: ResultsStore) -> SweepState | str:
    """How a sweep stands, after its end was written where its driver has died; a sentence where it cannot be read."""
    from orchestrator.results.argument import files_argument_of
    from orchestrator.results.driver_lock import driver_lives
    from orchestrator.tracking.tracked import left_over

    try:
        if not end_of_the_dead(store) and not driver_lives(store.directory) and (missing := left_over(store.directory)):
            cure = f"`gan-sweep sync {files_argument_of(store.directory)}` delivers it"
            click.echo(f"{store.directory.name}: {missing}: {cure}", err=True)
        return store.read_state()
    except UserError as error:
        return str(error)
