"""``gan-sweep results``: the trials of a sweep, to look at or for other programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import FileToWrite, SweepToFind, Text
from orchestrator.commands.shared import list_sweeps, sweeps_dir_option
from trainers.errors import UserError, unknown_name

if TYPE_CHECKING:
    from orchestrator.results.store import ResultsStore

FORMATS = ("csv", "json", "parquet", "table")


@click.command("results", cls=OnCluster)
@click.argument("sweep", type=SweepToFind(), required=False)
@click.option(
    "--format",
    "form",
    type=Text(),
    metavar="NAME",
    help=f"{', '.join(FORMATS)}. [default: as the name of -o FILE ends, else table]",
)
@click.option("--epochs", is_flag=True, help="A row per epoch instead of one per trial: csv and parquet.")
@click.option("-o", "--output", type=FileToWrite(), metavar="FILE", help="Write to FILE instead of here.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@cluster_option
@sweeps_dir_option
def command(
    sweep: str | None, form: str | None, epochs: bool, output: Path | None, as_json: bool, sweeps_dir: Path
) -> None:
    """Show the trials of SWEEP, running or finished, or the sweeps that there are."""
    chosen = _chosen(form, as_json=as_json, epochs=epochs, output=output)
    if sweep is None:
        if chosen != "table":
            raise UserError(f"--format {chosen}: name a sweep; `gan-sweep results` lists those that there are")
        list_sweeps(sweeps_dir, "gan-sweep results NAME shows the trials of one")
        return
    from orchestrator.results.store import find_sweep

    store = find_sweep(sweep, sweeps_dir)
    if chosen == "table":
        from rich.console import Console

        from orchestrator.display.summary import print_results

        print_results(Console(), store)
        return
    content = _as_json(store).encode() if chosen == "json" else _as_table(store, chosen, epochs=epochs)
    if output is None:
        click.echo(content, nl=False)
        return
    from trainers.atomic import replacing

    with replacing(output) as part:
        part.write_bytes(content)


def _chosen(form: str | None, *, as_json: bool, epochs: bool, output: Path | None) -> str:
    """The format to write.

    Raises:
        UserError: there is no such format, or the other options do not go with it.
    """
    if form is not None and form not in FORMATS:
        raise unknown_name("--format", form, FORMATS)
    if as_json and form not in (None, "json"):
        raise UserError(f"--format {form}: --json says another; give one of them")
    by_name = output.suffix.removeprefix(".") if output is not None else ""
    chosen = form or ("json" if as_json else by_name if by_name in FORMATS else "table")
    if output is not None and chosen == "table":
        raise UserError(f"--output {output}: say what to write: --format csv, json or parquet, or a name that ends so")
    if epochs and chosen not in ("csv", "parquet"):
        raise UserError(f"--epochs: goes with --format csv or parquet, not with {chosen}")
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise UserError("--format parquet is no text for a terminal: give -o FILE.parquet")
    return chosen


def _as_json(store: ResultsStore) -> str:
    from orchestrator.display.advice.advice import advice_on
    from orchestrator.results.lineage import best_of_lineage

    found, state = best_of_lineage(store), store.read_state()
    advice = [one.to_json() for one in advice_on(state, store.standing(state).status)]
    both = {"sweep": str(found[0].directory), "trial_id": found[1].trial_id} if found else None
    return json.dumps({**store.summary(), "best_with_earlier": both, "advice": advice}, indent=1) + "\n"


def _as_table(store: ResultsStore, form: str, *, epochs: bool) -> bytes:
    from io import BytesIO

    from pyarrow import parquet

    from orchestrator.results.tables import Tables

    tables = Tables(store)
    if form == "csv":
        return (tables.epochs if epochs else tables.trials).to_csv(index=False).encode()
    content = BytesIO()
    parquet.write_table(tables.epochs_arrow if epochs else tables.trials_arrow, content)
    return content.getvalue()
