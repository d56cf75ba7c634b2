"""``gan-sweep data``: prepare a dataset, and look at one."""

import json
import shlex
from pathlib import Path

from rich.console import Console

from orchestrator.display.progress import progress_bar
from trainers.data.prepare import PrepareOptions, prepare
from trainers.data.prepare.report_files import REPORT_HTML
from trainers.data.prepare.survey import Survey, survey

# Formats, tags and so on that are named on the screen; --json has all.
_SHOWN = 8


def run_prepare(
    source: Path, destination: Path, options: PrepareOptions, workers: int | None, console: Console | None = None
) -> int:
    """Prepare a dataset and say what became of the files.

    Returns:
        The exit code: 0 done or there already, 130 interrupted.

    Raises:
        UserError: see `trainers.data.prepare.prepare`.
    """
    console = console or Console()
    try:
        with progress_bar(console, "preparing images") as progress:
            done = prepare(source, destination, options, workers=workers, progress=progress)
    except KeyboardInterrupt:
        _line(console, f"stopped: the same command goes on where it was; {destination} is not a dataset yet")
        return 130
    manifest = done.manifest
    if not done.created:
        _line(console, f"{destination} is there already: {manifest.images} images from the same files, the same way")
        return 0
    dropped = manifest.files - manifest.images
    _row(console, "kept", f"{manifest.images} of {manifest.files} files, {manifest.size} px")
    _row(console, "dropped", f"{dropped} ({_counts(manifest.dropped)})" if dropped else "none")
    if options.tags is not None:
        rows = json.loads((destination / "report.json").read_text(encoding="utf-8"))["tags"]
        _row(console, "tags", f"{rows['rows']} rows, {len(rows['without_image'])} without an image")
    _row(console, "dataset", str(destination))
    _row(console, "report", str(destination / REPORT_HTML))
    _row(console, "next", f"gan-sweep launch --space NAME --data {shlex.quote(str(destination))}")
    return 0


def run_inspect(folder: Path, *, sheet: Path | None, as_json: bool, console: Console | None = None) -> None:
    """Print what is in `folder` and draw its contact sheet.

    Raises:
        UserError: see `trainers.data.prepare.survey.survey`.
    """
    console = console or Console()
    sheet = sheet or Path(f"{folder.resolve().name}_contact_sheet.png")
    with progress_bar(Console(stderr=True) if as_json else console, "looking at images") as progress:
        found = survey(folder, sheet=sheet, progress=progress)
    drawn = str(sheet) if found.images else None
    if as_json:
        console.file.write(json.dumps({**found.as_dict(), "sheet": drawn}, indent=1) + "\n")
        return
    _print_survey(console, found)
    _row(console, "sheet", drawn or "none: there is no image")


def _print_survey(console: Console, found: Survey) -> None:
    _row(console, "images", f"{found.images} of {found.files} files" + (", prepared" if found.prepared else ""))
    if found.images:
        spread = " ".join(
            f"{name} {low:g} to {high:g} (median {middle:g})"
            for name, (low, middle, high) in (("width", found.widths), ("height", found.heights))
        )
        _row(console, "sizes", f"{spread} px" + (", of the original files" if found.prepared else ""))
        _row(console, "formats", _counts(found.formats))
        _row(console, "modes", _counts(found.modes))
    _row(console, "dropped" if found.prepared else "bad", _counts(found.bad) or "none")
    for file in found.examples:
        _row(console, "", f"{file.path}: {file.reason}, {file.detail}")
    _row(console, "alike", f"{found.duplicates} exact duplicates, {found.near_duplicates} near duplicates")
    for path, detail in found.alike:
        _row(console, "", f"{path}: {detail}")
    if found.labels:
        _row(console, "folders", _counts(found.labels))
    if found.tags:
        _row(console, "tags", f"{len(found.tags)} ({_counts(found.tags)}); {found.untagged} images without")
    if found.tags_without_image:
        _row(console, "", f"{found.tags_without_image} rows without an image")
    for note in found.notes:
        _row(console, "note", note)


def _counts(counts: dict[str, int]) -> str:
    """``"480 JPEG, 32 PNG"``, the most frequent first, the rest as a number."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f", {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
    return ", ".join(f"{number} {name}" for name, number in ranked[:_SHOWN]) + more


def _row(console: Console, name: str, text: str) -> None:
    _line(console, f"  {name:<9}{text}")


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
