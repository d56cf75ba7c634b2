"""``gan-sweep sync``: delivers to MLflow what a sweep could not deliver."""

from pathlib import Path

import click

from orchestrator.commands.parameters import NameOrPath, Text
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError
from trainers.masking import masked


@click.command("sync")
@click.argument("sweep", type=NameOrPath())
@click.option(
    "--tracking-uri",
    type=Text(),
    metavar="URI",
    help="As given to launch, where it has a password. [default: the sweep's]",
)
@sweeps_dir_option
def command(sweep: str, tracking_uri: str | None, sweeps_dir: Path) -> None:
    """Deliver to MLflow what SWEEP could not deliver, in order and once."""
    from orchestrator.results.driver_lock import driver_lives
    from orchestrator.results.store import find_sweep
    from orchestrator.sweep.late_end import end_for_the_dead

    store = find_sweep(sweep, sweeps_dir)
    name, kept = store.directory.name, store.read_plan().tracking_uri
    if driver_lives(store.directory):
        raise UserError(f"sweep {name} runs: its driver delivers by itself")
    if tracking_uri is not None and masked(tracking_uri) != kept:
        raise UserError(f"--tracking-uri {masked(tracking_uri)}: {name} is tracked at {kept}")
    if missing := end_for_the_dead(store, tracking_uri):
        raise UserError(missing)
    click.echo(f"MLflow at {kept} has everything of {name}")
