"""Folders that are private to the user, and paths that stay inside one."""

from pathlib import Path

from trainers.errors import UserError, shortened


def make_private(folder: Path) -> None:
    """Make a folder and its missing parents so that their owner alone may open them.

    One that is there keeps its permissions: whoever shares a folder with others on purpose makes it beforehand.

    Raises:
        OSError: it cannot be made.
    """
    for place in reversed((folder, *folder.parents)):
        place.mkdir(mode=0o700, exist_ok=True)


def inside(folder: Path, name: str) -> Path:
    """``folder / name``, where `name` comes from a file or a person that is not trusted with any other path.

    Raises:
        UserError: it leads out of `folder`: by ``..``, as an absolute path, or over a link.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{shortened(name)} leads out of {folder}, to {str(path.resolve())!r}")
    return path
