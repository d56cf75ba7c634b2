"""The output of ``gan-sweep data`` on folders of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from trainers.data.prepare.survey import Survey

# How many formats, tags and so on are listed on the screen; --json has all.
_SHOWN = 8


def print_survey(console: Console, found: Survey) -> None:
    """Print what is in a folder of images, a row for each finding."""
    print_row(console, "images", f"{found.images} of {found.files} files" + (", prepared" if found.prepared else ""))
    if found.images:
        spread = " ".join(
            f"{name} {low:g} to {high:g} (median {middle:g})"
            for name, (low, middle, high) in (("width", found.widths), ("height", found.heights))
        )
        print_row(console, "sizes", f"{spread} px" + (", of the original files" if found.prepared else ""))
        print_row(console, "formats", counts_text(found.formats))
        print_row(console, "modes", counts_text(found.modes))
    print_row(console, "dropped" if found.prepared else "bad", counts_text(found.bad) or "none")
    for file in found.examples:
        print_row(console, "", f"{file.path}: {file.reason}, {file.detail}")
    print_row(console, "alike", f"{found.duplicates} exact duplicates, {found.near_duplicates} near duplicates")
    for path, detail in found.alike:
        print_row(console, "", f"{path}: {detail}")
    if found.labels:
        print_row(console, "folders", counts_text(found.labels))
    if found.tags:
        print_row(console, "tags", f"{len(found.tags)} ({counts_text(found.tags)}); {found.untagged} images without")
    if found.tags_without_image:
        print_row(console, "", f"{found.tags_without_image} rows without an image")
    for note in found.notes:
        print_row(console, "note", note)


def counts_text(counts: dict[str, int]) -> str:
    """``"480 JPEG, 32 PNG"``, the most frequent first, the rest as a number."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f", {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
    return ", ".join(f"{number} {name}" for name, number in ranked[:_SHOWN]) + more


def print_row(console: Console, name: str, text: str) -> None:
    """Print a name and its text in two columns."""
    print_line(console, f"  {name:<9}{text}")


def print_line(console: Console, text: str) -> None:
    """Print plain text, without markup or line breaks."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
