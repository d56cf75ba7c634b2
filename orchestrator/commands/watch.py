"""``gan-sweep watch``: the live table of a sweep that runs elsewhere."""

import contextlib
from pathlib import Path

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.shared import running_sweep, sweeps_dir_option

LOOK_S = 0.25


@click.command("watch", cls=OnCluster)
@click.argument("sweep", type=SweepToFind())
@cluster_option
@sweeps_dir_option
def command(sweep: str, sweeps_dir: Path) -> None:
    """Show SWEEP's table until it ends; Ctrl-C ends the watching alone."""
    import time

    from rich.console import Console

    from orchestrator.display.live import Screen
    from orchestrator.results.follower import Follower

    running = running_sweep(sweep, sweeps_dir)
    screen = Screen(Console(), running.store.directory)
    follower = Follower(running.store.directory, running.store.read_plan(), [screen])
    follower.skip()
    screen.watch(follower.state)
    screen.open()
    with contextlib.suppress(KeyboardInterrupt):
        while follower.state.is_open and running.lives():
            time.sleep(LOOK_S)
            follower.poll()
            screen.look()
    screen.close()
    standing = running.store.standing()
    click.echo(f"{running.name}: {standing.status}{'; ' if standing.detail else ''}{standing.detail}")
