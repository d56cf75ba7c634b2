"""The sample grids in a trial's folder."""

import re
from pathlib import Path

from trainers.errors import UserError
from trainers.folders import inside


def find_grids(folder: Path) -> dict[int, Path]:
    """The grids in a trial's folder by epoch, in order. Links that lead out of it are no grids of it."""
    found = {}
    for path in (folder / "samples").glob("epoch_*.png"):
        named = re.fullmatch(r"epoch_(\d{1,9})\.png", path.name)
        try:
            if named is not None and inside(folder, f"samples/{path.name}").is_file():
                found[int(named[1])] = path
        except (UserError, OSError):
            continue
    return dict(sorted(found.items()))
