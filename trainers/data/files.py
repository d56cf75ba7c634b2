"""The files of a folder of images."""

import hashlib
import os
from pathlib import Path

from trainers.errors import UserError

# Beside images that a generator made: what they were made from.
GENERATED = "generated.json"


def require_folder(root: Path) -> None:
    """Check that a folder of images is one.

    Raises:
        UserError: it is missing, or no directory.
    """
    if not root.is_dir():
        raise UserError(f"the image folder {root} {'is not a directory' if root.exists() else 'does not exist'}")


def find_files(root: Path) -> list[str]:
    """Every file below `root` as a sorted relative posix path, with any suffix.

    Hidden files and folders are left out. So are, in `root` itself, CSV files, which are tags beside the images, and
    GENERATED. Links to folders are followed; each folder is read once, so loops end.

    Raises:
        UserError: when a folder cannot be read.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    try:
        for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_raise):
            status = os.stat(folder)
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                subfolders.clear()
                continue
            seen.add(identity)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            relative = Path(folder).relative_to(root)
            found += [(relative / name).as_posix() for name in names if not name.startswith(".")]
    except OSError as error:
        raise UserError(f"cannot read the folder {error.filename}: {error.strerror}") from error
    return sorted(file for file in found if not _is_sidecar(file) and file != GENERATED)


def find_sidecars(root: Path) -> list[str]:
    """The CSV files that `find_files` leaves out, sorted."""
    names = (path.name for path in root.iterdir() if path.is_file())  # reading a pipe would wait for ever
    return sorted(name for name in names if _is_sidecar(name) and not name.startswith("."))


def text_name(file: str) -> str:
    """`file` as text: a file name need not be UTF-8, but reports and caches are."""
    return os.fsencode(file).decode(errors="replace")


def hash_file(path: Path) -> bytes:
    """SHA-256 of a file, 32 bytes; zeros for one that cannot be read, which `decode_image` will report."""
    try:
        if path.is_file():  # opening a pipe would wait for ever
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        pass
    return bytes(32)


def _is_sidecar(file: str) -> bool:
    return "/" not in file and file.lower().endswith(".csv")


def _raise(error: OSError) -> None:
    raise error
