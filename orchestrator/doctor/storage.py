"""Whether the folders of a sweep can be written here, and are the same on every node."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doctor.finding import Asked, Finding, Level
from orchestrator.plan.places import check_can_make, check_remote
from trainers.errors import UserError
from trainers.remote import StorageError, open_folder, shown, uri_of

CURE = "mount the same shared storage there under the same path, or name such a folder, or s3://..."
REMOTE_CURE = "give that machine keys (AWS_ACCESS_KEY_ID, a profile, a role) and, where it needs one, AWS_ENDPOINT_URL"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A folder that every node must see.

    Attributes:
        folder: made for this; `secret` is the content of its file ``here``. None where the sweeps are in an object
            store.
        secret: so that a folder of the same name elsewhere is not taken for it.
        images: number of entries of ``--data``, as this machine sees them; None without.
    """

    folder: Path | None
    secret: str
    images: int | None


def check_storage_here(asked: Asked) -> Iterator[Finding]:
    """A line for the sweeps' folder, and one for the images."""
    remote = uri_of(asked.sweeps_dir)
    try:
        check_can_make(asked.sweeps_dir, f"--sweeps-dir {asked.sweeps_dir}")
        check_remote(asked.sweeps_dir)
    except StorageError as error:
        yield _finding(Level.FAILED, str(error), REMOTE_CURE)
    except UserError as error:
        yield _finding(Level.FAILED, str(error), "make it writable, or name another with --sweeps-dir DIR")
    else:
        made = "" if asked.sweeps_dir.is_dir() else ", which the first sweep makes"
        yield _finding(Level.OK, f"sweeps in {asked.sweeps_dir}{made}" if remote is None else f"sweeps in {remote}")
    if asked.data is not None:
        yield from _look_at_images(asked.data, None, "")


@contextlib.contextmanager
def probe(asked: Asked) -> Iterator[Probe]:
    """A `Probe` in the sweeps' folder, or in the nearest one above it that is there; removed however this ends."""
    images = None
    if asked.data is not None:
        with contextlib.suppress(StorageError):  # said already
            images = _entries(asked.data)
    if uri_of(asked.sweeps_dir) is not None:
        yield Probe(folder=None, secret="", images=images)
        return
    folder, secret = asked.place / f".gan-sweep-doctor-{uuid.uuid4().hex}", uuid.uuid4().hex
    folder.mkdir()
    try:
        (folder / "here").write_text(secret)
        yield Probe(folder=folder, secret=secret, images=images)
    finally:
        shutil.rmtree(folder)


def look_from_node(asked: Asked, given: Probe, node: str) -> Iterator[Finding]:
    """Read what the driver wrote, write what it reads, and look for the images; runs on a node."""
    if given.folder is None:
        try:
            check_remote(asked.sweeps_dir)
        except UserError as error:
            yield _finding(Level.FAILED, str(error), REMOTE_CURE)
        else:
            yield _finding(Level.OK, f"{shown(asked.sweeps_dir)} can be written")
    elif not (given.folder / "here").is_file() or (given.folder / "here").read_text() != given.secret:
        text = f"{asked.place} there is not the folder of that name here"
        yield _finding(Level.FAILED, text, CURE)
    else:
        (given.folder / node).write_text(given.secret)
    if asked.data is not None:
        yield from _look_at_images(asked.data, given.images, " there")


def _look_at_images(data: Path, here: int | None, where: str) -> Iterator[Finding]:
    """A line on the images, as this machine sees them; `here` is how many the driver sees, None: this is the driver."""
    try:
        seen = _entries(data)
        if where and seen == here:
            _read_one(data)
    except StorageError as error:
        yield _finding(Level.FAILED, str(error), REMOTE_CURE)
        return
    except OSError as error:
        text = f"images in {shown(data)} cannot be read{where}: {error.strerror or error}"
        yield _finding(Level.FAILED, text, "let the user that Ray runs as there read the folder and its files")
        return
    if where == "":
        level, cure = (Level.OK, "") if seen else (Level.FAILED, "name a folder that has some")
        yield _finding(level, f"images in {shown(data)}, {seen} entries", cure)
    elif seen != here:
        text = f"images in {shown(data)}: {'no such folder' if seen is None else f'{seen} entries'}{where}, "
        yield _finding(Level.FAILED, f"{text}{here} entries here", CURE)
    elif seen:
        yield _finding(Level.OK, f"images in {shown(data)}: {seen} entries{where} as here, and one was read")


def _entries(data: Path) -> int | None:
    """How many entries a folder of images has; None where there is no folder."""
    if (uri := uri_of(data)) is not None:
        return len(open_folder(uri).files())
    return len(os.listdir(data)) if data.is_dir() else None


def _read_one(data: Path) -> None:
    """Read one file of a folder of images, where it has any.

    Raises:
        StorageError, OSError: it cannot be read.
    """
    if (uri := uri_of(data)) is not None:
        folder = open_folder(uri)
        for name in sorted(folder.files())[:1]:
            folder.read(name)
        return
    files = (Path(place) / name for place, _, names in os.walk(data) for name in names)
    if (first := next((file for file in files if file.is_file()), None)) is not None:  # and no link to nothing
        with first.open("rb") as file:
            file.read(1)


def written_by(given: Probe, node: str) -> Finding:
    """Whether the driver sees what the node wrote."""
    assert given.folder is not None, "only where the sweeps are in a folder that nodes share"
    file = given.folder / node
    if file.is_file() and file.read_text() == given.secret:
        return _finding(Level.OK, f"{given.folder.parent} is the same folder here and there, and both can write")
    return _finding(Level.FAILED, f"what it wrote to {given.folder.parent} is not seen here", CURE)


def _finding(level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name="storage", level=level, text=text, cure=cure)
