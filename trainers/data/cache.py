"""build_cache: decode a folder once for all processes and calls."""

import hashlib
import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
from filelock import FileLock
from numpy.typing import NDArray

from trainers.atomic import replacing
from trainers.data.cache_report import BuildReport, SkippedFile, count_reasons, report_path
from trainers.data.decode import FITS, SkippedError, decode_image
from trainers.data.pool import cores, in_order
from trainers.data.reader import ImageCache
from trainers.data.source import ImageSource, open_source
from trainers.errors import UserError, disk_is_full, is_full, unknown_name
from trainers.folders import make_private
from trainers.pulse import beat

__all__ = ["BuildReport", "ImageCache", "SkippedFile", "build_cache"]

# Part of the digest: raise it whenever the same file would decode to other pixels.
FORMAT_VERSION = 2
# 3 MiB of 128 px images: little to hold while writing, and still only 157 batches to map for 10,000 images.
ROWS_PER_BATCH = 64

Progress = Callable[[int, int], None]
Decoded = tuple[str, NDArray[np.uint8]]  # relative path, [3, S, S]


def build_cache(
    source: Path,
    *,
    image_size: int,
    fit: str,
    cache_dir: Path,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ImageCache:
    """Decode every image of `source` into ``<cache_dir>/<digest>.arrow``, unless that is there already.

    The digest covers relative paths, contents, `image_size` and `fit`. Several processes may call this at once:
    one decodes, the others wait and then map its file. A damaged cache is rebuilt.

    Args:
        source: folder of images, with any subfolders, or a dataset of `trainers.data.prepare`.
        image_size: side S, pixels.
        fit: ``"pad"`` or ``"stretch"``, see `decode_image`.
        cache_dir: where caches lie; made when missing.
        workers: threads; None means one per core that this process may use.
        progress: called with (files done, files in all) after each file that is decoded; never on a hit.

    Raises:
        UserError: `source` is missing, not a folder, not readable, an unfinished dataset or without one usable image;
            `cache_dir` lies in it or cannot be written.
    """
    _check(source, image_size, fit, cache_dir)
    images = open_source(source)
    # Threads, since Pillow lets go of the GIL and processes need 0.3 s to start. On 2 cores, one thread / 2 threads /
    # 2 spawned processes: 798 grey JPEGs of 300x200 in 0.86 / 0.60 / 0.83 s, 48 colour ones of 2400x1600 in
    # 0.26 / 0.14 / 0.40 s.
    with ThreadPoolExecutor(workers or cores()) as pool:
        digest = _digest(images, image_size, fit, pool)
        path = cache_dir / f"{digest}.arrow"
        made = [place for place in (cache_dir, *cache_dir.parents) if not place.exists()]
        try:
            make_private(cache_dir)
            with FileLock(path.with_suffix(".lock")):
                if not _is_intact(path):
                    _require_room(cache_dir, images.total, image_size)
                    results = _decode_all(images, image_size, fit, pool, progress)
                    _write(path, results, source, digest, image_size, fit)
                cache = ImageCache.open(path)
        except OSError as error:
            _remove_traces(path, made)
            if is_full(error):
                raise disk_is_full(error, cache_dir) from error
            raise UserError(f"cannot write the image cache in {cache_dir}: {error}") from error
        except UserError:
            _remove_traces(path, made)
            raise
    cache.report = replace(cache.report, source=str(source))  # another folder may have had the same images first
    return cache


def _check(source: Path, image_size: int, fit: str, cache_dir: Path) -> None:
    if fit not in FITS:
        raise unknown_name("fit", fit, FITS)
    if image_size < 1:
        raise UserError(f"image_size must be at least 1 pixel, got {image_size}")
    inside, outside = cache_dir.resolve(), source.resolve()
    if inside.is_relative_to(outside) and not any(p.startswith(".") for p in inside.relative_to(outside).parts):
        raise UserError(f"the cache folder {cache_dir} lies inside the image folder {source}, which would change it")


def _require_room(cache_dir: Path, files: int, image_size: int) -> None:
    free, needed = shutil.disk_usage(cache_dir).free, files * 3 * image_size**2
    if needed > free:
        raise UserError(
            f"the disk of the image cache {cache_dir} has {free / 1e6:,.0f} MB free, {files} files decoded to "
            f"{image_size} px need up to {needed / 1e6:,.0f} MB: make room, or name another with $GAN_SWEEP_CACHE"
        )


def _remove_traces(path: Path, made: list[Path]) -> None:
    """Remove the lock of a folder that was refused, and the folders that were `made` for its cache, deepest first.

    Another process that waits for the removed lock will refuse the same folder.
    """
    if path.parent.is_dir() and not path.exists():
        path.with_suffix(".lock").unlink(missing_ok=True)
    for folder in made:
        if not folder.is_dir() or any(folder.iterdir()):
            break
        folder.rmdir()


def _digest(images: ImageSource, image_size: int, fit: str, pool: ThreadPoolExecutor) -> str:
    settings = f"{FORMAT_VERSION} {image_size} {fit}\n".encode()
    return hashlib.sha256(settings + images.key(pool)).hexdigest()[:32]


def _crc32(path: Path) -> int:
    """Checksum of a whole file (3 GB/s), read in pieces so that no memory is held or mapped."""
    checksum = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            checksum = crc32(piece, checksum)
    return checksum


def _is_intact(path: Path) -> bool:
    try:
        return ImageCache.open(path).report.cache_crc32 == _crc32(path)
    except UserError:
        return False


def _decode_all(
    images: ImageSource, image_size: int, fit: str, pool: ThreadPoolExecutor, progress: Progress | None
) -> Iterator[Decoded | SkippedFile]:
    """Every image in order, decoded or skipped."""

    def decode(item: tuple[str, Path | bytes]) -> Decoded | SkippedFile:
        name, content = item
        try:
            return name, decode_image(content, image_size, fit)
        except SkippedError as error:
            return SkippedFile(path=name, reason=error.reason, detail=error.detail)

    for done, result in enumerate(in_order(pool, decode, images.items()), 1):
        yield result
        beat()
        if progress is not None:
            progress(done, images.total)


def _write(
    path: Path, results: Iterator[Decoded | SkippedFile], source: Path, digest: str, image_size: int, fit: str
) -> None:
    """Stream the images to disk. The caller holds the lock, so that no other process writes the same files."""
    skipped: list[SkippedFile] = []
    # The report is renamed first, so that a cache that exists has a report.
    with replacing(path, sync=True) as part, replacing(report_path(path)) as report_part:
        usable = _write_images(part, results, skipped, image_size)
        if not usable:
            counts = count_reasons(skipped) or "the folder is empty"
            raise UserError(f"no usable image among the {len(skipped)} files in {source}: {counts}")
        BuildReport(
            source=str(source),
            digest=digest,
            image_size=image_size,
            fit=fit,
            usable=usable,
            skipped=tuple(skipped),
            cache_crc32=_crc32(part),
        ).save(report_part)


def _write_images(
    path: Path, results: Iterator[Decoded | SkippedFile], skipped: list[SkippedFile], image_size: int
) -> int:
    """Write record batches of ROWS_PER_BATCH images; returns how many images, and adds the others to `skipped`."""
    image_bytes = 3 * image_size**2
    schema = pa.schema([("image", pa.binary(image_bytes)), ("path", pa.string())])

    def images() -> Iterator[Decoded]:
        for result in results:
            if isinstance(result, SkippedFile):
                skipped.append(result)
            else:
                yield result

    remaining = images()
    usable = 0
    # Pillow warns of odd EXIF and palettes. Filters belong to the process, so they are set here, not in the threads.
    with warnings.catch_warnings(), path.open("wb") as file:
        warnings.simplefilter("ignore")
        with pa.ipc.new_file(file, schema) as writer:
            while rows := list(islice(remaining, ROWS_PER_BATCH)):
                pixels = pa.py_buffer(np.stack([image for _, image in rows]))
                column = pa.FixedSizeBinaryArray.from_buffers(schema.field("image").type, len(rows), [None, pixels])
                writer.write_batch(pa.record_batch([column, pa.array([name for name, _ in rows])], schema=schema))
                usable += len(rows)
    return usable
