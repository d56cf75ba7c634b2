"""``gan-sweep stop``: ends a sweep from another terminal."""

from pathlib import Path

import click

from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.shared import running_sweep, sweeps_dir_option


@click.command("stop")
@click.argument("sweep", type=SweepToFind())
@click.option("--now", is_flag=True, help="At once; without it, trials end after their epoch.")
@sweeps_dir_option
def command(sweep: str, now: bool, sweeps_dir: Path) -> None:
    """End SWEEP, as Ctrl-C in its terminal does; `resume` goes on with it."""
    from orchestrator.results.requests import StopSweep, ask

    running = running_sweep(sweep, sweeps_dir)
    ask(running.store.directory, StopSweep(session=running.session, now=now))
    click.echo(f"asked {running.name} to stop ...")
    running.wait_until(lambda state: not state.is_open and not running.lives(), ending=True)
    click.echo(f"{running.name}: {running.store.standing().status}; `gan-sweep resume {running.name}` goes on with it")
