"""Whether the folders of a sweep can be written here, and are the same on every node."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.doctor.finding import Asked, Finding, Level
from orchestrator.plan.places import check_can_make
from trainers.errors import UserError

CURE = "mount the same shared storage there under the same path, or name such a folder"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A folder that every node must see.

    Attributes:
        folder: made for this; `secret` is the content of its file ``here``.
        secret: so that a folder of the same name elsewhere is not taken for it.
        images: number of entries of ``--data``, as this machine sees them; None without.
    """

    folder: Path
    secret: str
    images: int | None


def check_storage_here(asked: Asked) -> Iterator[Finding]:
    """A line for the sweeps' folder, and one for the images."""
    try:
        check_can_make(asked.sweeps_dir, f"--sweeps-dir {asked.sweeps_dir}")
    except UserError as error:
        yield _finding(Level.FAILED, str(error), "make it writable, or name another with --sweeps-dir DIR")
    else:
        made = "" if asked.sweeps_dir.is_dir() else ", which the first sweep makes"
        yield _finding(Level.OK, f"sweeps in {asked.sweeps_dir}{made}")
    if asked.data is not None:
        yield _finding(Level.OK, f"images in {asked.data}, {len(os.listdir(asked.data))} entries")


@contextlib.contextmanager
def probe(asked: Asked) -> Iterator[Probe]:
    """A `Probe` in the sweeps' folder, or in the nearest one above it that is there; removed however this ends."""
    folder, secret = asked.place / f".gan-sweep-doctor-{uuid.uuid4().hex}", uuid.uuid4().hex
    folder.mkdir()
    try:
        (folder / "here").write_text(secret)
        yield Probe(folder=folder, secret=secret, images=None if asked.data is None else len(os.listdir(asked.data)))
    finally:
        shutil.rmtree(folder)


def look_from_node(asked: Asked, given: Probe, node: str) -> Iterator[Finding]:
    """Read what the driver wrote, write what it reads, and look for the images; runs on a node."""
    file = given.folder / "here"
    if not file.is_file() or file.read_text() != given.secret:
        text = f"{asked.place} there is not the folder of that name here"
        yield _finding(Level.FAILED, text, CURE)
    else:
        (given.folder / node).write_text(given.secret)
    if asked.data is None:
        return
    seen = len(os.listdir(asked.data)) if asked.data.is_dir() else None
    if seen != given.images:
        text = f"images in {asked.data}: {'no such folder' if seen is None else f'{seen} entries'} there, "
        yield _finding(Level.FAILED, f"{text}{given.images} entries here", CURE)


def written_by(given: Probe, node: str) -> Finding:
    """Whether the driver sees what the node wrote."""
    file = given.folder / node
    if file.is_file() and file.read_text() == given.secret:
        return _finding(Level.OK, f"{given.folder.parent} is the same folder here and there, and both can write")
    return _finding(Level.FAILED, f"what it wrote to {given.folder.parent} is not seen here", CURE)


def _finding(level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name="storage", level=level, text=text, cure=cure)
