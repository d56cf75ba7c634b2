"""``gan-sweep results``: the trials of a sweep."""

import json
from pathlib import Path

import click

from orchestrator.commands.parameters import SweepToFind
from orchestrator.commands.shared import sweeps_dir_option


@click.command("results")
@click.argument("sweep", type=SweepToFind())
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@sweeps_dir_option
def command(sweep: str, as_json: bool, sweeps_dir: Path) -> None:
    """Show the trials of SWEEP, running or finished."""
    from orchestrator.results.store import find_sweep

    store = find_sweep(sweep, sweeps_dir)
    if as_json:
        from orchestrator.results.lineage import best_of_lineage

        found = best_of_lineage(store)
        both = {"sweep": str(found[0].directory), "trial_id": found[1].trial_id} if found else None
        click.echo(json.dumps({**store.summary(), "best_with_earlier": both}, indent=1))
        return
    from rich.console import Console

    from orchestrator.display.summary import print_results

    print_results(Console(), store)
