"""The rows of a prepared dataset, and the Parquet files that hold them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainers.atomic import replacing
from trainers.data.manifest import Shard, find_manifest
from trainers.errors import UserError, first_line

# What Parquet's reader holds at a time; 64 PNGs of 128 px are 1 to 2 MB.
ROWS_PER_GROUP = 64


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one file of the source: an image, or a reason why not.

    Attributes:
        path: of the file, relative to the source, posix.
        sha256: of the file, hex; empty for one that cannot be read.
        image: PNG of the square; None when dropped.
        width, height: of the picture, upright, pixels; 0 when unknown.
        format, mode: as Pillow names them; empty when unknown.
        crop: left, top, right, bottom of what was kept, in pixels of the upright picture; None for the whole.
        score: of the detection that was cropped to, 0 to 1.
        label: the top folder that the file lies in; empty for none.
        tags_text: the tags as they were written.
        tags: the tags.
        phash: 64 bits, see `trainers.data.prepare.measures.perceptual_hash`.
        colours: 192 bytes, see `trainers.data.prepare.measures.colour_thumbnail`.
        reason: a `trainers.data.decode.SkipReason`, or the preparation's own, a `DropReason`; empty when kept.
        detail: for people.
    """

    path: str
    sha256: str = ""
    image: bytes | None = None
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    crop: list[int] | None = None
    score: float | None = None
    label: str = ""
    tags_text: str = ""
    tags: list[str]
    phash: int = 0
    colours: bytes = b""
    reason: str = ""
    detail: str = ""


_DATASET = pa.schema(
    [
        ("image", pa.binary()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("crop", pa.list_(pa.int32())),
        ("score", pa.float32()),
        ("label", pa.string()),
        ("tags_text", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("phash", pa.uint64()),
        ("colours", pa.binary()),
    ]
)
_CHUNK = pa.schema([*_DATASET, pa.field("reason", pa.string()), pa.field("detail", pa.string())])


def write_chunk(path: Path, rows: list[Row]) -> None:
    """Write what became of some files, whole or not at all."""
    _write(path, _CHUNK, [pa.Table.from_pylist([vars(row) for row in rows], schema=_CHUNK)])


def read_chunk(path: Path) -> list[Row]:
    """What `write_chunk` wrote."""
    return [Row(**values) for values in pq.read_table(path, schema=_CHUNK).to_pylist()]


def read_facts(path: Path) -> list[Row]:
    """The rows of a chunk without their images: hundreds of bytes each."""
    columns = [name for name in _CHUNK.names if name != "image"]
    return [Row(**values) for values in pq.read_table(path, columns=columns).to_pylist()]


def write_shard(path: Path, rows: Iterable[Row]) -> Shard:
    """Write images in row groups of ROWS_PER_GROUP, whole or not at all. `rows` is read once, and not held."""

    def tables() -> Iterator[pa.Table]:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append({name: getattr(row, name) for name in _DATASET.names})
            if len(group) == ROWS_PER_GROUP:
                yield pa.Table.from_pylist(group, schema=_DATASET)
                group = []
        if group:
            yield pa.Table.from_pylist(group, schema=_DATASET)

    _write(path, _DATASET, tables())
    return describe_shard(path)


def describe_shard(path: Path) -> Shard:
    """What `write_shard` returned when it wrote this file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Shard(file=path.name, images=pq.read_metadata(path).num_rows, sha256=digest)


def read_origins(path: Path) -> Iterator[tuple[str, str]]:
    """`Row.path` and `Row.sha256` of every row of a shard, in order."""
    for row in pq.read_table(path, columns=["path", "sha256"]).to_pylist():
        yield row["path"], row["sha256"]


def read_images(root: Path) -> Iterator[tuple[str, bytes]]:
    """Source path and PNG of every image of the dataset in `root`, in order.

    Raises:
        UserError: it is no finished dataset, or a shard is damaged.
    """
    for row in _read_columns(root, ["path", "image"]):
        yield row["path"], row["image"]


def read_dataset(root: Path) -> Iterator[Row]:
    """Every row of the dataset in `root` without its image.

    Raises:
        UserError: it is no finished dataset, or a shard is damaged.
    """
    for values in _read_columns(root, [name for name in _DATASET.names if name != "image"]):
        yield Row(**values)


def prepared_tags(source: Path) -> dict[str, tuple[str, ...]] | None:
    """Source path of every image of a prepared dataset to its tags; None when `source` is no prepared dataset.

    Raises:
        UserError: the dataset is unfinished or damaged.
    """
    if find_manifest(source) is None:
        return None
    return {row["path"]: tuple(row["tags"]) for row in _read_columns(source, ["path", "tags"])}


def _read_columns(root: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    manifest = find_manifest(root)
    if manifest is None:
        raise UserError(f"{root} is no prepared dataset")
    for shard in manifest.shards:
        read = 0
        try:
            with pq.ParquetFile(root / shard.file) as file:
                for batch in file.iter_batches(ROWS_PER_GROUP, columns=columns):
                    read += len(batch)
                    yield from batch.to_pylist()
            if read != shard.images:
                raise ValueError(f"{read} images where {shard.images} were written")
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise UserError(
                f"{root / shard.file} is damaged ({first_line(error)}): remove {root} and prepare it again"
            ) from error


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    # PNGs do not get smaller, and the other columns are some 400 bytes a row: no compression, no dictionaries.
    with (
        replacing(path, sync=True) as part,
        part.open("wb") as file,
        pq.ParquetWriter(file, schema, compression="none", use_dictionary=False, write_statistics=False) as out,
    ):
        for table in tables:
            out.write_table(table)
