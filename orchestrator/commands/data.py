"""``gan-sweep data``: prepare a dataset, and look at one."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.parameters import (
    FileToRead,
    FileToWrite,
    FolderToMake,
    FolderToRead,
    NameOrPath,
    Number,
    Text,
    Whole,
)
from orchestrator.commands.shared import CommandGroup, fetch

if TYPE_CHECKING:
    from rich.console import Console

    from trainers.data.prepare import PrepareOptions


# Up to 64 decoded squares wait at a time (`trainers.data.pool`): 800 MB of this side, and training sees 256 at most.
MOST_PIXELS = 2048


@click.group("data", cls=CommandGroup)
def command() -> None:
    """Prepare a folder of images, or look at one."""


@command.command("prepare")
@click.argument("source", metavar="SRC", type=FolderToRead())
@click.argument("destination", metavar="DEST", type=FolderToMake())
@click.option(
    "--size", type=Whole(1, MOST_PIXELS), default=128, show_default=True, metavar="PX", help="Side of the images."
)
@click.option(
    "--fit",
    type=Text(),
    default="pad",
    show_default=True,
    metavar="pad|stretch",
    help="Black bars, or fill the square.",
)
@click.option(
    "--detector",
    type=NameOrPath(),
    metavar="NAME|FILE",
    help="Crop to single objects: torchvision's name or COCO JSON file.",
)
@click.option("--detector-weights", type=FileToRead(), metavar="FILE", help="Weights of the detector.")
@click.option("--label", type=Text(), metavar="CLASS", help="What to crop to. [default: motorcycle]")
@click.option(
    "--min-score", type=Number(0, 1), metavar="S", help="Least score of a detection that counts. [default: 0.5]"
)
@click.option(
    "--min-side", type=Whole(1, 10**6), default=1, metavar="PX", help="Drop pictures or crops with a shorter side."
)
@click.option(
    "--max-aspect",
    type=Number(1, 10**6),
    metavar="R",
    help="Drop those whose longer side is more than R times the shorter.",
)
@click.option(
    "--max-colourfulness", type=Number(0, 10**6), metavar="X", help="Drop busy backgrounds: 15 slight, 45 average."
)
@click.option("--dedupe", is_flag=True, help="Of equal and near equal pictures keep the largest.")
@click.option(
    "--animated",
    type=Text(),
    default="drop",
    show_default=True,
    metavar="first|drop",
    help="Keep the first frame, or none.",
)
@click.option("--tags", type=FileToRead(), metavar="CSV", help='Rows such as 0,"blonde hair blue eyes".')
@click.option(
    "--drop-tag",
    "drop_tags",
    type=Text(),
    multiple=True,
    metavar="T",
    help="Drop images with this tag; may be repeated.",
)
@click.option("--workers", type=Whole(1, 1024), metavar="N", help="Threads. [default: one per core]")
def data_prepare(source: Path, destination: Path, workers: int | None, **values: Any) -> None:
    """Turn the folder SRC into a clean dataset in the new folder DEST, with a report of what was dropped and why."""
    from orchestrator.plan.places import check_no_sweep
    from trainers.data.prepare import PrepareOptions

    fetch(source)
    check_no_sweep(source)
    sys.exit(run_prepare(source, destination, PrepareOptions(**values), workers))


@command.command("inspect")
@click.argument("folder", metavar="DIR", type=FolderToRead())
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--sheet", type=FileToWrite(), metavar="FILE.png", help="[default: ./DIR_contact_sheet.png]")
def data_inspect(folder: Path, as_json: bool, sheet: Path | None) -> None:
    """Say what is in DIR, a folder of images or a prepared dataset, and draw a contact sheet."""
    fetch(folder)
    run_inspect(folder, sheet=sheet, as_json=as_json)


def run_prepare(
    source: Path, destination: Path, options: PrepareOptions, workers: int | None, console: Console | None = None
) -> int:
    """Prepare a dataset and print what was kept and what was dropped.

    Returns:
        The exit code: 0 when the dataset is done or was there already, 130 when interrupted.

    Raises:
        UserError: a folder or option is wrong, `destination` holds something else, or no image is left.
    """
    from rich.console import Console

    from orchestrator.display.dataset_text import counts_text, print_line, print_row
    from orchestrator.display.progress import progress_bar
    from trainers.data.prepare import prepare
    from trainers.data.prepare.report_files import REPORT_HTML

    console = console or Console()
    try:
        with progress_bar(console, "preparing images") as progress:
            done = prepare(source, destination, options, workers=workers, progress=progress)
    except KeyboardInterrupt:
        print_line(console, f"stopped: run the same command again to continue; {destination} is not a dataset yet")
        return 130
    manifest = done.manifest
    if not done.created:
        print_line(
            console, f"{destination} exists already: {manifest.images} images from the same files with the same options"
        )
        return 0
    dropped = manifest.files - manifest.images
    print_row(console, "kept", f"{manifest.images} of {manifest.files} files, {manifest.size} px")
    print_row(console, "dropped", f"{dropped} ({counts_text(manifest.dropped)})" if dropped else "none")
    if options.tags is not None:
        rows = json.loads((destination / "report.json").read_text(encoding="utf-8"))["tags"]
        print_row(console, "tags", f"{rows['rows']} rows, {len(rows['without_image'])} without an image")
    print_row(console, "dataset", str(destination))
    print_row(console, "report", str(destination / REPORT_HTML))
    print_row(console, "next", f"gan-sweep launch --space NAME --data {shlex.quote(str(destination))}")
    return 0


def run_inspect(folder: Path, *, sheet: Path | None, as_json: bool, console: Console | None = None) -> None:
    """Print what is in `folder` and draw its contact sheet.

    Raises:
        UserError: the folder is missing, cannot be read or is an unfinished dataset, or the sheet cannot be written.
    """
    from rich.console import Console

    from orchestrator.display.dataset_text import print_row, print_survey
    from orchestrator.display.progress import progress_bar
    from trainers.data.prepare.survey import survey

    console = console or Console()
    sheet = sheet or Path(f"{folder.resolve().name[-200:]}_contact_sheet.png")  # a name may have 255 bytes
    with progress_bar(Console(stderr=True) if as_json else console, "looking at images") as progress:
        found = survey(folder, sheet=sheet, progress=progress)
    drawn = str(sheet) if found.images else None
    if as_json:
        console.file.write(json.dumps({**found.as_dict(), "sheet": drawn}, indent=1) + "\n")
        return
    print_survey(console, found)
    print_row(console, "sheet", drawn or "none: there is no image")
