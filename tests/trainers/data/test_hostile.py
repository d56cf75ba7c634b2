"""Files of strangers: what they unpack to is bounded, and what they name stays in their folder."""

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.trainers.data.cache_helpers import build, fill
from trainers.data import ImageCache
from trainers.data.decode import SkippedError, SkipReason, decode_image
from trainers.data.manifest import MANIFEST, VERSION, find_manifest
from trainers.errors import UserError

HUGE = 256 << 20


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with(*chunks: bytes) -> bytes:
    """A PNG of 4x4 with chunks before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(4 * 13))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels


def zeros(size: int) -> bytes:
    """`size` zeros, deflated to a fraction."""
    packer = zlib.compressobj(1)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(parts) + packer.flush()


def gif(frames: int) -> bytes:
    images = [Image.new("RGB", (4, 4), (n % 2 * 255, n % 256, n // 256)) for n in range(frames)]
    file = BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        (lambda: png_with(chunk(b"zTXt", b"k\0\0" + zeros(HUGE))), {SkipReason.UNDECODABLE}),
        (lambda: png_with(chunk(b"iTXt", b"k\0\1\0\0\0" + zeros(HUGE))), {SkipReason.UNDECODABLE}),
        (lambda: png_with(*[chunk(b"zTXt", b"k\0\0" + zeros(1 << 20))] * 100), {SkipReason.UNDECODABLE}),
        (lambda: png_with(chunk(b"iCCP", b"k\0\0" + zeros(HUGE))), {SkipReason.UNDECODABLE, None}),
        (lambda: gif(2000), {SkipReason.ANIMATED}),
    ],
    ids=["a long text", "a long international text", "many texts", "a long profile", "many frames"],
)
def test_what_a_picture_unpacks_to_is_bounded(content: Callable[[], bytes], reasons: set[SkipReason | None]) -> None:
    picture = content()
    tracemalloc.start()
    reason = None
    try:
        decode_image(picture, 8, "pad")
    except SkippedError as error:
        reason = error.reason
        assert "\n" not in error.detail
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert reason in reasons and peak < 100e6


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return build(fill(tmp_path / "photos", 5), tmp_path / "cache")


def test_a_damaged_cache_is_one_line_wherever_it_is_damaged(cache: ImageCache) -> None:
    """Whatever byte is another one: it opens and every path and pixel can be read, or it is refused."""
    content, random, refused = cache.path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 3):
            changed[place] = random.integers(0, 256)
        cache.path.unlink()  # the old one stays mapped
        cache.path.write_bytes(changed)
        try:
            opened = ImageCache.open(cache.path)
            assert len(opened.paths()) == len(list(opened.batches(1))) == 5
        except UserError as error:
            refused += 1
            assert "is not a complete image cache" in str(error) and "\n" not in str(error)
    assert refused > 30


def test_paths_that_point_outside_of_their_batch_are_refused(cache: ImageCache) -> None:
    pixels = pa.FixedSizeBinaryArray.from_buffers(pa.binary(192), 5, [None, pa.py_buffer(bytes(5 * 192))])
    offsets = pa.py_buffer(np.array([0, 4, 2, 3, 1 << 30, 5], np.int32))
    names = pa.StringArray.from_buffers(5, offsets, pa.py_buffer(b"abcde"))
    batch = pa.RecordBatch.from_arrays([pixels, names], ["image", "path"])
    cache.path.unlink()
    with pa.OSFile(str(cache.path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(UserError, match="is not a complete image cache"):
        ImageCache.open(cache.path)


def test_a_report_without_end_is_one_line(cache: ImageCache) -> None:
    cache.path.with_suffix(".report.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not a complete image cache") as refused:
        ImageCache.open(cache.path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["../other.parquet", "{folder}/other.parquet", "linked"])
def test_a_dataset_reads_no_shard_of_another_place(name: str, tmp_path: Path) -> None:
    (tmp_path / "other.parquet").touch()
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path / "other.parquet")
    shard = {"file": name.format(folder=tmp_path), "images": 1, "sha256": ""}
    values = {"version": VERSION, "source": "", "source_sha256": "", "content_sha256": "", "arguments": {}, "size": 8}
    values |= {"images": 1, "files": 1, "dropped": {}, "shards": [shard]}
    (folder / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"leads out of .*dataset"):
        find_manifest(folder)
