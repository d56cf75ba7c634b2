"""The sample grids in a trial's folder, and the pictures of the real images nearest to its fakes."""

import re
from collections.abc import Iterator
from pathlib import Path

from trainers.errors import UserError
from trainers.folders import inside

LIKENESSES = "nearest*.png"  # as `trainers.samples.likeness_file` names them; that file imports torch


def find_grids(folder: Path) -> dict[int, Path]:
    """The grids in a trial's folder by epoch, in order. Links that lead out of it are no grids of it."""
    found = {}
    for path in _pictures(folder, "epoch_*.png"):
        if (named := re.fullmatch(r"epoch_(\d{1,9})\.png", path.name)) is not None:
            found[int(named[1])] = path
    return dict(sorted(found.items()))


def find_likenesses(folder: Path) -> list[Path]:
    """The pictures that `trainers.confirm` has made of a trial: one, of a translator two; none of one not measured."""
    return sorted(_pictures(folder, LIKENESSES))


def _pictures(folder: Path, pattern: str) -> Iterator[Path]:
    for path in (folder / "samples").glob(pattern):
        try:
            if inside(folder, f"samples/{path.name}").is_file():
                yield path
        except (UserError, OSError):
            continue
