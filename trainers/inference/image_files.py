"""A folder that fills with generated images: PNG or WebP files, or a dataset of Parquet shards, in whatever order.

Every file is whole or not there, so what is missing can be made later, and comes out the same.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from trainers.atomic import replacing
from trainers.data.manifest import VERSION, Manifest
from trainers.data.pool import cores, in_order
from trainers.data.shards import Row, describe_shard, read_origins, write_shard
from trainers.folders import inside
from trainers.inference.recipe import Recipe
from trainers.inference.threads import Threads

FORMATS = ("png", "webp", "parquet")
SHARD_IMAGES = 1024
TOGETHER = 8  # images that a thread encodes before it asks for more: an image of 32 px takes 0.3 ms
# On 2 cores, photographs of 128 px, images/s with one thread and with two: PNG at Pillow's own level 399 and 665, at
# level 1, whose files are 4% larger, 646 and 1291; two processes instead of two threads 505, after 2.4 s to start.
# Lossless WebP 41 and 85, with method 0 784 and 1364, 15% smaller than PNG.
_PNG_END = b"IEND\xaeB`\x82"  # a WebP file has its length at its head instead
_SETTINGS = {"png": {"compress_level": 1}, "webp": {"lossless": True, "method": 0}}

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
Pixels = NDArray[np.uint8]  # [S, S, 3]
Made = tuple[int, Pixels]  # an image and its place in the set
Make = Callable[[Sequence[int]], Iterable[Made]]  # the images of these places, in order; may leave some out


@dataclass(kw_only=True)
class Filled:
    """What was done so far.

    Attributes:
        images: that were written.
        found: that were there before.
        seconds: wall time in all.
        making_s: in which the generator worked: wall time on a GPU, CPU time of all threads on a CPU.
        encoding_s: CPU time of all threads that was spent on encoding and writing.
        threads: there are.
    """

    images: int = 0
    found: int = 0
    seconds: float = 0.0
    making_s: float = 0.0
    encoding_s: float = 0.0
    threads: int = field(default_factory=cores)


def encode(pixels: Pixels, kind: str) -> bytes:
    """The image as ``png`` or lossless ``webp``: the same bytes for the same pixels."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **_SETTINGS[kind])
    return content.getvalue()


class ImageFolder:
    """A folder of images that are made from a recipe.

    Args:
        folder: that `filling` accepted for `recipe`.
        recipe: of the images.
        threads: decode, encode and, on a CPU, generate.
        progress: called with (images there, images in all).
    """

    def __init__(self, folder: Path, recipe: Recipe, threads: Threads, progress: Progress | None = None) -> None:
        self.folder, self.recipe, self.threads, self._progress = folder, recipe, threads, progress
        self.filled = Filled()

    def fill(self, names: Sequence[str], make: Make) -> Filled:
        """Make the images that the folder does not have yet.

        Pillow encodes outside the GIL while the next images are made; some dozens per core wait for it at most.

        Args:
            names: of all images, relative, without suffix.
            make: makes images by their place in `names`.

        Raises:
            UserError: a name leads out of the folder.
            OSError: a file cannot be written.
        """
        started = time.perf_counter()
        (self._fill_shards if self.recipe.format == "parquet" else self._fill_files)(names, make)
        self.filled.making_s = self.threads.generating_s
        self.filled.seconds += time.perf_counter() - started
        return self.filled

    def _fill_files(self, names: Sequence[str], make: Make) -> None:
        for subfolder in {str(PurePosixPath(name).parent) for name in names}:
            inside(self.folder, subfolder).mkdir(parents=True, exist_ok=True)
        paths = [self.folder / f"{name}.{self.recipe.format}" for name in names]
        missing = [place for place, path in enumerate(paths) if not _is_whole(path)]
        self.filled.found += len(names) - len(missing)

        def write(made: Made) -> None:
            place, pixels = made
            with replacing(paths[place]) as part:
                part.write_bytes(encode(pixels, self.recipe.format))

        for _ in self._encoded(write, make(missing), len(names)):
            pass

    def _fill_shards(self, names: Sequence[str], make: Make) -> None:
        def row(made: Made) -> Row:
            place, pixels = made
            png, side = encode(pixels, "png"), len(pixels)
            sha256, path = hashlib.sha256(png).hexdigest(), f"{names[place]}.png"
            return Row(path=path, sha256=sha256, image=png, width=side, height=side, format="PNG", mode="RGB", tags=[])

        content, shards = hashlib.sha256(), []
        for number, first in enumerate(range(0, len(names), SHARD_IMAGES)):
            path, places = self.folder / f"shard-{number:05d}.parquet", range(len(names))[first : first + SHARD_IMAGES]
            origins = _origins(path)
            if [name for name, _ in origins] == [f"{names[place]}.png" for place in places]:
                shards.append(describe_shard(path))
                self.filled.found += len(places)
            else:
                shards.append(write_shard(path, self._encoded(row, make(places), len(names))))
                origins = _origins(path)
            for name, sha256 in origins:
                content.update(name.encode() + b"\0" + bytes.fromhex(sha256))
        arguments = asdict(self.recipe)
        Manifest(
            version=VERSION,
            source=self.recipe.source,
            source_sha256=hashlib.sha256(json.dumps(arguments).encode()).hexdigest(),
            content_sha256=content.hexdigest(),
            arguments=arguments,
            size=self.recipe.image_size,
            images=len(names),
            files=len(names),
            dropped={},
            shards=tuple(shards),
        ).save(self.folder)

    def _encoded(self, work: Callable[[Made], Result], made: Iterable[Made], total: int) -> Iterator[Result]:
        """`work` of every image, done by the threads; counts images and times."""

        def timed(some: list[Made]) -> tuple[list[Result], float]:
            began = time.thread_time()
            return [work(one) for one in some], time.thread_time() - began

        ahead = iter(made)
        chunks = iter(lambda: list(islice(ahead, TOGETHER)), [])
        with closing(in_order(self.threads.pool, timed, chunks, 4 * self.filled.threads)) as done:
            for results, seconds in done:
                self.filled.encoding_s += seconds
                self.filled.images += len(results)
                if self._progress is not None:
                    self._progress(self.filled.found + self.filled.images, total)
                yield from results


def _origins(path: Path) -> list[tuple[str, str]]:
    """`read_origins` of a shard; empty where there is none, or a power cut or a full disk has left a part of one."""
    try:
        return list(read_origins(path))
    except (OSError, KeyError, pa.ArrowException):
        return []


def _is_whole(path: Path) -> bool:
    """Whether the file is there, to its end: after a power cut, or a copy that was cut off, a part of one may be."""
    try:
        with path.open("rb") as file:
            head, size = file.read(8), file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_PNG_END)))
            return file.read() == _PNG_END or (head[:4] == b"RIFF" and size == 8 + int.from_bytes(head[4:], "little"))
    except OSError:
        return False
