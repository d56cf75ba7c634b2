"""``generated.json``: what a folder of generated images was made from, so that it can be gone on with, or refused."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trainers.atomic import write_text
from trainers.data.files import GENERATED
from trainers.errors import UserError, first_line


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a folder's images, and where they come from.

    Attributes:
        source: where the generator comes from, for people; nothing depends on it.
        weights: `FinishedGenerator.digest`.
        epoch: how long it was trained.
        image_size: side, pixels.
        format: ``png``, ``webp`` or ``parquet``.
        images: how many; of a folder that is translated, at most.
        float32: whether it was computed so, and not in float64.
        seed, truncation, classes: see `FinishedGenerator.inputs`; None and empty for translations.
        direction: of translations; None for images made from latents.
        translated: hash of the names and contents of the images that are translated; None likewise.
    """

    source: str
    weights: str
    epoch: int
    image_size: int
    format: str
    images: int
    float32: bool = False
    seed: int | None = None
    truncation: float | None = None
    classes: dict[str, str] = field(default_factory=dict)
    direction: str | None = None
    translated: str | None = None


def read_recipe(folder: Path) -> Recipe | None:
    """What the images of a folder were made from; None where nothing says so.

    Raises:
        UserError: its file is damaged, or a newer version wrote it.
    """
    path = folder / GENERATED
    if not path.is_file():
        return None
    try:
        return Recipe(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({first_line(error)}): name another folder") from error


@contextmanager
def filling(folder: Path, recipe: Recipe) -> Iterator[None]:
    """Make the folder of a set of images, or find that it is one of the same recipe; in the block it is ours alone.

    Raises:
        UserError: it holds anything else, another process fills it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another command is filling {folder}: wait for it, or name another folder") from None
        except OSError:  # some network file systems lock no folders
            pass
        _begin(folder, recipe)
        yield
    finally:
        os.close(place)


def _begin(folder: Path, recipe: Recipe) -> None:
    before = read_recipe(folder)
    if before is not None:
        was, now = asdict(before), asdict(recipe)
        changed = [name for name in now if name != "source" and was[name] != now[name]]
        if changed:
            differences = ", ".join(f"{name} {was[name]} and not {now[name]}" for name in changed)
            raise UserError(
                f"{folder} holds images of {before.source} made with {differences}: name another folder, or remove it"
            )
        return
    try:
        if others := sorted(path.name for path in folder.iterdir()):
            raise UserError(f"{folder} is not empty (it has {others[0]}): name a new folder for the images")
        write_text(folder / GENERATED, json.dumps(asdict(recipe), indent=1) + "\n", sync=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> UserError:
    return UserError(f"cannot write images to {folder}: {error.strerror or error}")
