"""Checks of a sweep's name and folders, before anything is read, made or started."""

import json
import os
import re
import tempfile
import uuid
from pathlib import Path

from orchestrator.results.places import TRACKING_DB, TRACKING_FILES
from orchestrator.results.saved_plan import PLAN_FILE
from trainers.data.files import find_files
from trainers.errors import UserError, shortened
from trainers.remote import open_folder, uri_of

MOST_LETTERS = 100  # of a name, which becomes part of paths, of URLs and of a study's name


def check_name(name: str) -> None:
    """Check a sweep's name.

    Raises:
        UserError: it cannot be a folder and part of a URL.
    """
    if len(name) > MOST_LETTERS:
        raise UserError(f"--name {shortened(name)}: must have at most {MOST_LETTERS} characters, has {len(name)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--name {name!r}: letters, digits, '.', '_' and '-' only, a letter or digit first")
    if name in (TRACKING_DB, TRACKING_FILES):
        raise UserError(f"--name {name}: MLflow's files are there, choose another")


def check_model_name(name: str | None) -> None:
    """Check the name of a registered model in MLflow; None is none.

    Raises:
        UserError: it cannot be part of ``models:/NAME@champion``.
    """
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}", name):
        given = shortened(name) if len(name) > MOST_LETTERS else repr(name)
        raise UserError(
            f"--register {given}: up to 100 letters, digits, spaces, '.', '_' and '-', a letter or digit first"
        )


def check_can_make(folder: Path, what: str) -> None:
    """Check that `folder` is one that can be written, or that it can be made. Nothing is left behind.

    Args:
        folder: absolute.
        what: its name for people, such as ``--sweeps-dir sweeps``.

    Raises:
        UserError: it cannot.
    """
    place = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        # Permissions alone do not tell: root has them on a read-only disk and in /proc.
        with tempfile.TemporaryDirectory(dir=place, prefix=".gan-sweep-"):
            pass
    except OSError as error:
        raise UserError(f"{what}: nothing can be written in {place}: {error.strerror}") from None


def check_remote(folder: Path) -> None:
    """Check that the remote folder that `folder` is the local copy of can be written; nothing for another folder.

    A file is written and removed. A store that has keys instead of folders may keep an empty one for the folder itself.

    Raises:
        UserError: no bucket, no permission, or nothing answers.
    """
    if (uri := uri_of(folder)) is not None:
        remote, probe = open_folder(uri), f".gan-sweep-{uuid.uuid4().hex}"
        remote.write(probe, b"gan-sweep looks whether it can write here")
        there = remote.look(probe)
        remote.delete(probe)
        if there is None or not there.changed:
            raise UserError(f"{uri}: this kind of storage does not say when a file was written, which a sweep needs")


def check_no_sweep(folder: Path) -> None:
    """Check that a folder of images neither lies in a sweep's directory nor holds one.

    A sweep's own sample grids would be taken as images.

    Raises:
        UserError: it does, or it cannot be read.
    """
    above = next((place for place in (folder.resolve(), *folder.resolve().parents) if _is_sweep(place)), None)
    if above is not None:
        raise UserError(
            f"the image folder {folder} belongs to the sweep {above}, whose grids are no images to train on"
        )
    for file in find_files(folder):
        if file.endswith(f"/{PLAN_FILE}") and _is_sweep((folder / file).parent):
            below = (folder / file).parent
            raise UserError(f"the image folder {folder} holds the sweep {below}, whose grids are no images to train on")


def _is_sweep(folder: Path) -> bool:
    try:
        if not (folder / PLAN_FILE).is_file():
            return False
        values = json.loads((folder / PLAN_FILE).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and {"sweep", "objective"} <= values.keys()
