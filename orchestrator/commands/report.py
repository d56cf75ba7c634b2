"""``gan-sweep report``: a sweep as one HTML file."""

import webbrowser
from pathlib import Path

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import FileToWrite, SweepToFind
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError


@click.command("report", cls=OnCluster)
@click.argument("sweeps", type=SweepToFind(), nargs=-1, required=True, metavar="SWEEP...")
@click.option("-o", "--out", type=FileToWrite(), metavar="FILE", help="Where to write it. [default: SWEEP.html here]")
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
@click.option("--no-nearest", is_flag=True, help="Do not look for the real images nearest to the winner's samples.")
@cluster_option
@sweeps_dir_option
def command(sweeps: tuple[str, ...], out: Path | None, open_it: bool, no_nearest: bool, sweeps_dir: Path) -> None:
    """Write SWEEP, or several to compare, as one HTML file that needs no network; also while it runs."""
    write_report(sweeps, out, open_it=open_it, nearest=not no_nearest, sweeps_dir=sweeps_dir)


def write_report(sweeps: tuple[str, ...], out: Path | None, *, open_it: bool, nearest: bool, sweeps_dir: Path) -> Path:
    """Write the page, say where it is and what was left out of it.

    Raises:
        UserError: there is no such sweep, one cannot be read, or the file cannot be written.
    """
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from orchestrator.display.report.page import build_report
    from orchestrator.results.places import page_file
    from orchestrator.results.store import find_sweep
    from trainers.atomic import write_text

    found = {store.directory: store for store in (find_sweep(name, sweeps_dir, whole=True) for name in sweeps)}
    stores = list(found.values())  # one that was named twice is one
    file = out or page_file([store.directory.name for store in stores])
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, all_: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=all_)

        report = build_report(stores, show, nearest_images=nearest)
    try:
        write_text(file, report.html)
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror or error}") from None
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    for note in report.notes:
        click.echo(f"  {note}")
    if open_it:
        webbrowser.open(file.resolve().as_uri())
    return file
