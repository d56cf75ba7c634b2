"""fill_folder: a folder of drawings, whole or not at all."""

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from random import Random

from trainers.data.synthetic.kind import Kind
from trainers.errors import UserError
from trainers.folders import make_private

_BROKEN = 5


def fill_folder(name: str, kind: Kind, directory: Path, count: int, seed: int, broken: bool) -> None:
    """Fill `directory` with `count` drawings of `kind`, and 5 broken files when `broken`, whole or not at all.

    Args:
        name: of the kind; part of the name of the marker file.
        kind: what is drawn.
        directory: new, empty, or one that the same call filled: then it is left alone.
        count: how often `kind.save` is called.
        seed: of the drawings.
        broken: whether to add files that cannot be used.

    Raises:
        UserError: `directory` holds anything else or cannot be written, or `count` is below 1.
    """
    if count < 1:
        raise UserError(f"count must be at least 1, got {count}")
    marker = f".{name}.json"  # a folder is complete when it holds this and as many files
    about = {"version": kind.version, "count": count, "seed": seed, "broken": broken}
    files = count * kind.files_each + (kind.tags is not None) + _BROKEN * broken
    if _is_complete(directory, marker, about, files):
        return
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError(f"{directory} is not empty and does not hold these drawings; name an empty folder")
    # Not `replacing`, which handles one file: a folder can replace only an empty one, and is removed with its content.
    try:
        make_private(directory.parent)
        temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise UserError(f"cannot draw pictures in {directory.parent}: {error.strerror}") from error
    try:
        for folder in kind.folders:
            (temporary / folder).mkdir()
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(lambda i: kind.save(temporary, i, Random(f"{seed}/{i}")), range(count)):
                pass
        if kind.tags is not None:
            (temporary / "tags.csv").write_text(kind.tags(count))
        if broken:
            _save_broken(temporary / kind.broken_in, kind, Random(f"{seed}/broken"))
        (temporary / marker).write_text(json.dumps(about))
        temporary.chmod(0o755)  # mkdtemp's folders are private
        try:
            os.replace(temporary, directory)  # onto nothing, or onto an empty folder
        except OSError:
            if not _is_complete(directory, marker, about, files):  # else another process was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_complete(directory: Path, marker: str, about: dict[str, int], files: int) -> bool:
    try:
        if json.loads((directory / marker).read_text()) != about:
            return False
    except (OSError, ValueError):
        return False
    return sum(path.is_file() for path in directory.rglob("[!.]*")) == files


def _save_broken(folder: Path, kind: Kind, random: Random) -> None:
    """The faults that the Zalo motorbike article found among its 10,000 files, and two more."""
    jpeg = BytesIO()
    kind.sample(random).save(jpeg, "JPEG")
    (folder / "broken_truncated.jpg").write_bytes(jpeg.getvalue()[: len(jpeg.getvalue()) // 2])
    png = BytesIO()
    kind.sample(random).save(png, "PNG")
    (folder / "broken_truncated.png").write_bytes(png.getvalue()[: len(png.getvalue()) // 2])
    (folder / "broken_empty.jpg").write_bytes(b"")
    (folder / "broken_text.jpg").write_text("404 Not Found\n")
    frames = [kind.sample(random).resize((120, 90)) for _ in range(3)]
    frames[0].save(folder / "broken_animated.gif", save_all=True, append_images=frames[1:], duration=200)
