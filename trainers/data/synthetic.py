"""draw_motorbikes: a folder of drawn motorbikes, with the faults of a folder of photographs, where there are none."""

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from random import Random

from trainers.data.motorbike import draw_motorbike
from trainers.errors import UserError

# Written into the folder; a folder is complete when it holds this and as many files. Raise it when drawings change.
VERSION = 1
_MARKER = ".motorbikes.json"


def draw_motorbikes(directory: Path, count: int = 512, seed: int = 0, broken: bool = True) -> None:
    """Fill `directory` with `count` drawn motorbikes in side view, and 5 broken files when `broken`.

    Sizes, aspect ratios and formats (JPEG, PNG, palette PNG, grey JPEG) differ, and one in four lies in a subfolder.
    The same arguments give the same files. The folder appears whole or not at all; one that holds the set already is
    left alone.

    Raises:
        UserError: `directory` holds anything else or cannot be written, or `count` is below 1.
    """
    if count < 1:
        raise UserError(f"count must be at least 1, got {count}")
    about = {"version": VERSION, "count": count, "seed": seed, "broken": broken}
    if _is_complete(directory, about):
        return
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} is not empty and does not hold these {count} motorbikes; name an empty folder")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise UserError(f"cannot draw pictures in {directory.parent}: {error.strerror}") from error
    try:
        (temporary / "more").mkdir()
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(lambda i: _save(temporary, i, Random(f"{seed}/{i}")), range(count)):
                pass
        if broken:
            _save_broken(temporary, Random(f"{seed}/broken"))
        (temporary / _MARKER).write_text(json.dumps(about))
        temporary.chmod(0o755)  # mkdtemp's folders are private
        try:
            os.replace(temporary, directory)  # onto nothing, or onto an empty folder
        except OSError:
            if not _is_complete(directory, about):  # else another process was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_complete(directory: Path, about: dict[str, int]) -> bool:
    try:
        if json.loads((directory / _MARKER).read_text()) != about:
            return False
    except (OSError, ValueError):
        return False
    files = sum(path.is_file() for path in directory.rglob("[!.]*"))
    return files == about["count"] + 5 * about["broken"]


def _save(folder: Path, index: int, random: Random) -> None:
    bike = draw_motorbike(random)
    folder = folder / "more" if index % 4 == 3 else folder
    kind = index % 8
    if kind == 4:
        bike.save(folder / f"bike_{index:05d}.png")
    elif kind == 5:
        bike.quantize(64).save(folder / f"bike_{index:05d}.png")
    elif kind == 6:
        bike.convert("L").save(folder / f"bike_{index:05d}.jpg", quality=90)
    else:
        bike.save(folder / f"bike_{index:05d}.jpg", quality=90)


def _save_broken(folder: Path, random: Random) -> None:
    """The faults that document 001 found among its 10,000 files, and two more."""
    jpeg = BytesIO()
    draw_motorbike(random).save(jpeg, "JPEG")
    (folder / "broken_truncated.jpg").write_bytes(jpeg.getvalue()[: len(jpeg.getvalue()) // 2])
    png = BytesIO()
    draw_motorbike(random).save(png, "PNG")
    (folder / "broken_truncated.png").write_bytes(png.getvalue()[: len(png.getvalue()) // 2])
    (folder / "broken_empty.jpg").write_bytes(b"")
    (folder / "broken_text.jpg").write_text("404 Not Found\n")
    frames = [draw_motorbike(random).resize((120, 90)) for _ in range(3)]
    frames[0].save(folder / "broken_animated.gif", save_all=True, append_images=frames[1:], duration=200)
