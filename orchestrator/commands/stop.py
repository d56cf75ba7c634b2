"""``gan-sweep stop``: ends a sweep from another terminal."""

from pathlib import Path

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.shared import running_sweep, sweeps_dir_option


@click.command("stop", cls=OnCluster)
@click.argument("sweep", type=SweepToFind())
@click.option("--now", is_flag=True, help="At once; without it, trials end after their epoch.")
@cluster_option
@sweeps_dir_option
def command(sweep: str, now: bool, sweeps_dir: Path) -> None:
    """End SWEEP, as Ctrl-C in its terminal does; `resume` goes on with it."""
    from orchestrator.results.argument import argument_of
    from orchestrator.results.requests import StopSweep
    from orchestrator.results.verdict import SweepStatus

    running = running_sweep(sweep, sweeps_dir)
    click.echo(f"asking {running.name} to stop ...")
    running.ask(StopSweep(session=running.session, now=now), lambda state: not running.lives(), ending=True)
    standing = running.store.standing()
    detail = f", {standing.detail}" if standing.detail else ""
    goes_on = standing.status in (SweepStatus.INTERRUPTED, SweepStatus.FAILED)
    cure = f"; `gan-sweep resume {argument_of(running.store.directory)}` goes on with it" if goes_on else ""
    click.echo(f"{running.name}: {standing.status}{detail}{cure}")
