"""``gan-sweep compare``: two sweeps side by side."""

from pathlib import Path

import click

from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.shared import sweeps_dir_option


@click.command("compare")
@click.argument("sweep", type=SweepToFind())
@click.argument("other", type=SweepToFind())
@sweeps_dir_option
def command(sweep: str, other: str, sweeps_dir: Path) -> None:
    """Show what differs between two sweeps, in what was asked and in what came out.

    The difference of their winners is set against its spread over sets of fresh latents, and where both winning
    settings were trained again, over training seeds. FIDs of different protocols are not compared.
    """
    from rich.console import Console

    from orchestrator.display.compare_text import print_comparison
    from orchestrator.results.store import find_sweep

    first, second = find_sweep(sweep, sweeps_dir), find_sweep(other, sweeps_dir)
    print_comparison(Console(), first, second)
