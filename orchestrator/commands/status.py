"""``gan-sweep status``: how sweeps stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError, first_line
from trainers.remote import shown

if TYPE_CHECKING:
    from orchestrator.results.state import SweepState
    from orchestrator.results.store import ResultsStore


@click.command("status")
@click.argument("sweep", type=SweepToFind(), required=False)
@sweeps_dir_option
def command(sweep: str | None, sweeps_dir: Path) -> None:
    """Show how SWEEP stands, or all sweeps.

    Of a sweep whose driver has died, the end is written here, in MLflow too. What MLflow does not have is said.
    """
    from rich.console import Console

    from orchestrator.display.status_text import print_all, print_one
    from orchestrator.results.store import find_sweep, sweep_names

    console = Console()
    if sweep is not None:
        store = find_sweep(sweep, sweeps_dir)
        if isinstance(state := _read(store), str):
            raise UserError(state)
        print_one(console, store, state)
        return
    names = sweep_names(sweeps_dir)
    if not names:
        raise UserError(f"no sweeps in {shown(sweeps_dir)}")
    stores = [find_sweep(name, sweeps_dir) for name in names]
    print_all(console, [(store, _read(store)) for store in stores])


def _read(store: ResultsStore) -> SweepState | str:
    """How a sweep stands, after its end was written where its driver has died; a sentence where it cannot be read."""
    from orchestrator.results.argument import argument_of
    from orchestrator.results.driver_lock import driver_lives
    from orchestrator.tracking.tracked import left_over

    try:
        state = store.read_state()
        if store.standing(state).died is None:
            if not driver_lives(store.directory) and (missing := left_over(store.directory)):
                click.echo(
                    f"{store.directory.name}: {missing}: `gan-sweep sync {argument_of(store.directory)}` delivers it",
                    err=True,
                )
            return state
        from orchestrator.sweep.late_end import end_for_the_dead

        try:
            if missing := end_for_the_dead(store):
                click.echo(f"{store.directory.name}: {missing}", err=True)
        except (UserError, OSError) as error:  # such as a folder that is read only: how it stands is known all the same
            click.echo(f"{store.directory.name}: its end is not written: {first_line(error)}", err=True)
            return state
        return store.read_state()
    except UserError as error:
        return str(error)
