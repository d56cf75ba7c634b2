"""Kind: what a folder of one kind of drawings holds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One row of the registry.

    Attributes:
        version: raise it when the drawings change; a folder of another version is not taken for this one.
        save: writes number `index` into a folder; index and random state decide everything.
        sample: one RGB drawing, for the broken files.
        folders: subfolders.
        broken_in: the subfolder of the broken files; empty for the top.
        files_each: how many files `save` writes.
        tags: the text of `tags.csv` for so many pictures; None for kinds without one.
    """

    version: int
    save: Callable[[Path, int, Random], None]
    sample: Callable[[Random], Image.Image]
    folders: tuple[str, ...] = ()
    broken_in: str = ""
    files_each: int = 1
    tags: Callable[[int], str] | None = None


def save_mixed(folder: Path, name: str, index: int, image: Image.Image) -> None:
    """Save `image` as JPEG, PNG, palette PNG or grey JPEG; one in four goes to the subfolder ``more``."""
    folder = folder / "more" if index % 4 == 3 else folder
    path = folder / f"{name}_{index:05d}"
    case = index % 8
    if case == 4:
        image.save(path.with_suffix(".png"))
    elif case == 5:
        image.quantize(64).save(path.with_suffix(".png"))
    elif case == 6:
        image.convert("L").save(path.with_suffix(".jpg"), quality=90)
    else:
        image.save(path.with_suffix(".jpg"), quality=90)
