"""``dataset.json``: what a prepared dataset is and how it was made. Written last, so a folder that has it is whole."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainers.atomic import write_text
from trainers.errors import UserError
from trainers.folders import inside

MANIFEST = "dataset.json"
# Holds the finished chunks of a dataset that is not finished itself. Hidden, so that no search for images finds it.
WORK = ".unfinished"
SHARDS = "shard-*.parquet"
# Raise it when the same arguments would give another dataset.
VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One Parquet file of a dataset."""

    file: str
    images: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A finished dataset.

    Attributes:
        version: of the preparation.
        source: the folder that it was made from, as it was named at the time.
        source_sha256: over the relative paths and contents of the folder's files.
        content_sha256: over the relative paths and encoded images of the dataset.
        arguments: option to value; files are named with their SHA-256.
        size: side of the images, pixels.
        images: how many.
        files: how many the source had, CSVs at its top not counted.
        dropped: reason to number of files.
        shards: in order.
    """

    version: int
    source: str
    source_sha256: str
    content_sha256: str
    arguments: dict[str, Any]
    size: int
    images: int
    files: int
    dropped: dict[str, int]
    shards: tuple[Shard, ...]

    def save(self, folder: Path) -> None:
        """Write it into `folder`, whole or not at all."""
        write_json(folder / MANIFEST, asdict(self))


def find_manifest(folder: Path) -> Manifest | None:
    """The manifest of a prepared dataset, None when `folder` is none.

    Raises:
        UserError: the dataset is unfinished, damaged or of another version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if is_unfinished(folder):
            raise UserError(
                f"the dataset {folder} is unfinished: run the same `gan-sweep data prepare` or `gan-sweep generate` "
                f"again to finish it, or remove it"
            )
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or "shards" not in values or "content_sha256" not in values:
            return None  # somebody else's dataset.json
        shards = tuple(Shard(**shard) for shard in values.pop("shards"))
        for shard in shards:
            inside(folder, shard.file)
        manifest = Manifest(**values, shards=shards)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}): remove {folder} and prepare it again") from error
    if manifest.version != VERSION:
        raise UserError(
            f"{folder} was prepared by version {manifest.version}, this is {VERSION}: prepare it again elsewhere"
        )
    if missing := [shard.file for shard in manifest.shards if not (folder / shard.file).is_file()]:
        raise UserError(f"the dataset {folder} has lost {missing[0]}: remove it and prepare it again")
    return manifest


def is_unfinished(folder: Path) -> bool:
    """Whether `folder` holds parts of a dataset and no manifest."""
    return not (folder / MANIFEST).is_file() and ((folder / WORK).is_dir() or any(folder.glob(SHARDS)))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON, whole or not at all; it is on the disk when this returns."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n", sync=True)
