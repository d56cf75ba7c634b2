"""prepare: turns a messy folder into a clean dataset, once, and continues after it was stopped."""

import hashlib
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from trainers.data.files import find_files, hash_file
from trainers.data.manifest import VERSION, WORK, Manifest, find_manifest, is_unfinished, write_json
from trainers.data.pool import cores, in_order
from trainers.data.prepare.examine import Examiner
from trainers.data.prepare.near import mark_duplicates
from trainers.data.prepare.options import PrepareOptions, TagTable, read_tag_table
from trainers.data.prepare.report_files import SAMPLES, write_report
from trainers.data.prepare.start import check_places, check_same, read_start
from trainers.data.shards import Row, read_chunk, read_facts, write_chunk, write_shard
from trainers.errors import UserError, disk_is_full, is_full

# Files whose rows are written together. A kill loses at most these and the AHEAD files that the threads work on.
CHUNK_FILES = 64
# Chunks that make one shard: 512 images of 128 px are 7 MB.
SHARD_CHUNKS = 8

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """A dataset on disk."""

    folder: Path
    manifest: Manifest
    created: bool  # False: it was there already, made with the same arguments from the same files


def prepare(
    source: Path,
    destination: Path,
    options: PrepareOptions,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Fill `destination` with a dataset of the good images of `source`, and a report of the others.

    The dataset is Parquet shards of PNG squares with their tags and where they come from (see `Row`), ``report.json``,
    ``report.html`` and last of all ``dataset.json``. `source` is only read. The same call again does nothing; after a
    kill or Ctrl-C it continues, and gives the same bytes as if it had not been stopped.

    Args:
        source: folder of files, with any subfolders.
        destination: new or empty folder, or one that the same call began.
        options: what is kept and how.
        workers: threads; None means one per core that this process may use.
        progress: called with (files done, files in all) as files are decoded.

    Raises:
        UserError: a folder or option is wrong; `destination` holds anything else, or a dataset of other arguments or
            files; no image is left.
    """
    check_places(source, destination)
    files, arguments = find_files(source), options.arguments()
    # Threads, as in build_cache: Pillow, zlib and SHA-256 release the GIL.
    with ThreadPoolExecutor(workers or cores()) as pool:
        hashes = [content.hex() for content in pool.map(hash_file, [source / file for file in files])]
        start = {"version": VERSION, "source_sha256": _source_digest(files, hashes), "arguments": arguments}
        if (manifest := _finished(destination, start)) is not None:
            return Prepared(destination, manifest, created=False)
        tags = read_tag_table(options, files)
        examiner = Examiner(source, options, options.build_detector(files), tags)
        try:
            with _locked(destination):
                work = _open_work(destination, start)
                with warnings.catch_warnings():  # Pillow warns of odd EXIF and palettes; filters belong to the process
                    warnings.simplefilter("ignore")
                    _examine_all(work, files, hashes, examiner, pool, progress)
                manifest = _finish(source, destination, files, options, start, tags)
                shutil.rmtree(work, ignore_errors=True)
        except (OSError, pa.ArrowException) as error:
            if is_full(error):
                raise disk_is_full(error, destination.parent) from error
            raise UserError(f"cannot write the dataset {destination}: {error}") from error
    return Prepared(destination, manifest, created=True)


def _source_digest(files: list[str], hashes: list[str]) -> str:
    digest = hashlib.sha256()
    for file, content in zip(files, hashes, strict=True):
        digest.update(os.fsencode(file) + b"\0" + bytes.fromhex(content))
    return digest.hexdigest()


def _finished(destination: Path, start: dict[str, Any]) -> Manifest | None:
    """The dataset, when it is there and was made by the same call."""
    if is_unfinished(destination):
        return None
    manifest = find_manifest(destination)
    if manifest is not None:
        check_same(destination, {name: getattr(manifest, name) for name in start}, start)
        shutil.rmtree(destination / WORK, ignore_errors=True)  # left by a process that was killed just before its end
        (destination / ".lock").unlink(missing_ok=True)
    return manifest


@contextmanager
def _locked(destination: Path) -> Iterator[None]:
    """Lock `destination`, and make it when missing; if it was made here and stays empty, it is removed again."""
    made = not destination.exists()
    destination.mkdir(parents=True, exist_ok=True)
    lock = destination / ".lock"
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink()
                if made and not any(destination.iterdir()):
                    destination.rmdir()
    except Timeout:
        raise UserError(f"another process is preparing {destination}; wait for it") from None


def _open_work(destination: Path, start: dict[str, Any]) -> Path:
    """Make or reopen the folder of finished chunks; chunks of another call are refused."""
    work = destination / WORK
    others = [path.name for path in destination.iterdir() if path.name not in (WORK, ".lock")]
    if (work / "start.json").is_file():
        check_same(destination, read_start(work / "start.json"), start)
    elif others:
        raise UserError(
            f"{destination} is not empty and holds no dataset (it has {sorted(others)[0]}): name a new folder"
        )
    work.mkdir(exist_ok=True)
    write_json(work / "start.json", start)
    return work


def _examine_all(
    work: Path,
    files: list[str],
    hashes: list[str],
    examiner: Examiner,
    pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> None:
    """Write every chunk that is not there yet."""
    chunks = [range(first, min(first + CHUNK_FILES, len(files))) for first in range(0, len(files), CHUNK_FILES)]
    todo = [number for number in range(len(chunks)) if not chunk_path(work, number).is_file()]
    done = len(files) - sum(len(chunks[number]) for number in todo)
    numbers = (index for number in todo for index in chunks[number])
    rows = in_order(pool, lambda index: examiner.examine(files[index], hashes[index]), numbers)
    try:
        for number in todo:
            finished = []
            for row in islice(rows, len(chunks[number])):
                finished.append(row)
                done += 1
                if progress is not None:
                    progress(done, len(files))
            write_chunk(chunk_path(work, number), finished)
    finally:
        rows.close()  # after Ctrl-C, cancel what no thread has begun


def chunk_path(work: Path, number: int) -> Path:
    """Where chunk `number` lies."""
    return work / f"chunk-{number:05d}.parquet"


def _finish(
    source: Path,
    destination: Path,
    files: list[str],
    options: PrepareOptions,
    start: dict[str, Any],
    tags: TagTable,
) -> Manifest:
    """Write shards, report and manifest from the chunks; the same bytes each time."""
    work = destination / WORK
    chunks = [chunk_path(work, number) for number in range(-(-len(files) // CHUNK_FILES))]
    facts = [row for chunk in chunks for row in read_facts(chunk)]
    if options.dedupe:
        facts = mark_duplicates(facts)
    dropped = [row for row in facts if row.reason]
    if len(dropped) == len(files):
        counts = ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(row.reason for row in dropped).items()))
        shutil.rmtree(work)  # so that a call with other options can follow
        raise UserError(f"no image is left of the {len(files)} files in {source}: {counts or 'the folder is empty'}")
    content = hashlib.sha256()
    good = [index for index, row in enumerate(facts) if not row.reason]
    shown = set(good[:: -(-len(good) // SAMPLES)])
    samples: list[Row] = []

    def kept(numbers: range) -> Iterator[Row]:
        for number in numbers:
            for index, row in enumerate(read_chunk(chunks[number]), number * CHUNK_FILES):
                if not facts[index].reason:
                    assert row.image is not None and row.path == facts[index].path
                    content.update(row.path.encode() + b"\0" + hashlib.sha256(row.image).digest())
                    if index in shown:
                        samples.append(row)
                    yield row

    shards = []
    for first in range(0, len(chunks), SHARD_CHUNKS):
        path = destination / f"shard-{first // SHARD_CHUNKS:05d}.parquet"
        shards.append(write_shard(path, kept(range(first, min(first + SHARD_CHUNKS, len(chunks))))))
    manifest = Manifest(
        **start,
        source=str(source),
        content_sha256=content.hexdigest(),
        size=options.size,
        images=len(files) - len(dropped),
        files=len(files),
        dropped=dict(sorted(Counter(row.reason for row in dropped).items())),
        shards=tuple(shards),
    )
    assert manifest.images == sum(shard.images for shard in shards), (
        "a file is neither in the dataset nor in the report"
    )
    write_report(source, destination, manifest, dropped, samples, tags)
    manifest.save(destination)
    return manifest
