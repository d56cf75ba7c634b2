"""Large sets of images: from latents, or from the images of a folder, into a folder."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from trainers.data import SkippedError, SkippedFile, decode_image, to_unit_range
from trainers.data.pool import in_order
from trainers.data.source import open_source
from trainers.errors import UserError
from trainers.inference.finished import FinishedGenerator
from trainers.inference.image_files import Filled, ImageFolder, Made, Progress
from trainers.inference.recipe import Recipe, filling
from trainers.inference.threads import threads_for


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a set goes.

    Attributes:
        folder: new, empty, or with a part of the same set.
        format: one of `image_files.FORMATS`.
        source: where the generator comes from, for people.
        batch_size: images at once; changes speed only. None: what suits the device.
        progress: called with (images there, images in all).
    """

    folder: Path
    format: str = "png"
    source: str = ""
    batch_size: int | None = None
    progress: Progress | None = None

    def recipe(self, generator: FinishedGenerator, images: int, **what: object) -> Recipe:
        """Of `images` images of the generator."""
        return Recipe(
            source=self.source or generator.source,
            weights=generator.digest,
            epoch=generator.epoch,
            image_size=generator.image_size,
            format=self.format,
            images=images,
            float32=generator.dtype == torch.float32,
            **what,  # type: ignore[arg-type]
        )


def make_set(
    generator: FinishedGenerator,
    count: int,
    output: Output,
    *,
    seed: int = 0,
    classes: Mapping[str, str] | None = None,
    truncation: float = 1.0,
) -> Filled:
    """Write images 0 to `count` - 1 as ``00000.png`` and so on; what is there of the same set stays.

    Args:
        generator: in float64 the files are the same whatever the batch size and the device.
        count: how many.
        output: where they go.
        seed, classes, truncation: see `FinishedGenerator.inputs`.

    Raises:
        UserError: the generator translates images or has no such class, or the folder holds something else.
    """
    wanted = dict(classes or {})

    def inputs(numbers: Sequence[int]) -> Tensor:
        return generator.inputs(numbers, seed=seed, classes=wanted, truncation=truncation)

    inputs(range(0))  # refuses before anything is made
    recipe = output.recipe(generator, count, seed=seed, truncation=truncation, classes=wanted)
    digits = max(5, len(str(count - 1)))
    names = [f"{number:0{digits}d}" for number in range(count)]
    with filling(output.folder, recipe), threads_for(generator) as threads:
        at_once = output.batch_size or threads.batch_size

        def make(numbers: Sequence[int]) -> Iterator[Made]:
            parts = (numbers[start : start + at_once] for start in range(0, len(numbers), at_once))
            for made in threads.generate(
                lambda part: zip(part, last_channels(generator.pixels(inputs(part))), strict=True), parts
            ):
                yield from made

        return ImageFolder(output.folder, recipe, threads, output.progress).fill(names, make)


def translate_set(
    generator: FinishedGenerator, source: Path, direction: str, output: Output
) -> tuple[Filled, list[SkippedFile]]:
    """Translate every image of a folder; the files keep their names, but for the suffix.

    Images are decoded as for training: squares of the generator's size, padded or stretched as its run's were.

    Args:
        generator: of a family that translates.
        source: folder of images, with any subfolders, or a prepared dataset.
        direction: one of the generator's.
        output: where they go.

    Returns:
        What was done, and the files that hold no usable image.

    Raises:
        UserError: the generator has no such direction, `source` has no files, or the folder holds something else.
    """
    config, images = generator.config.data, open_source(source)
    if direction not in generator.directions:
        generator.translated(torch.empty(0), direction)  # says why not
    names = _names([name for name, _ in images.items()])
    if not names:
        raise UserError(f"there are no images in {source}")
    skipped: list[SkippedFile] = []

    def decode(item: tuple[int, str, Path | bytes]) -> tuple[int, Tensor] | None:
        place, name, content = item
        try:
            return place, torch.from_numpy(decode_image(content, config.image_size, config.fit))
        except SkippedError as error:
            skipped.append(SkippedFile(path=name, reason=error.reason, detail=error.detail))
            return None

    def translate(part: list[tuple[int, Tensor]]) -> Iterator[Made]:
        places, pictures = zip(*part, strict=True)
        fakes = generator.translated_pixels(to_unit_range(torch.stack(pictures)), direction)
        return zip(places, last_channels(fakes), strict=True)

    with threads_for(generator) as threads:
        at_once = output.batch_size or threads.batch_size

        def make(places: Sequence[int]) -> Iterator[Made]:
            wanted = set(places)
            items = ((place, *item) for place, item in enumerate(images.items()) if place in wanted)
            with closing(in_order(threads.pool, decode, items)) as decoded:
                good = (one for one in decoded if one is not None)
                parts = iter(lambda: list(islice(good, at_once)), [])
                for made in threads.generate(translate, parts):
                    yield from made

        recipe = output.recipe(generator, len(names), direction=direction, translated=images.key(threads.pool).hex())
        with filling(output.folder, recipe):
            filled = ImageFolder(output.folder, recipe, threads, output.progress).fill(names, make)
    return filled, sorted(skipped, key=lambda file: file.path)


def last_channels(pixels: Tensor) -> np.ndarray:
    """``[B, 3, S, S]`` uint8 on the CPU as Pillow takes it, ``[B, S, S, 3]``."""
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def _names(files: Sequence[str]) -> list[str]:
    """The files' paths without suffix; with it where two files differ in nothing else."""
    stems = [str(PurePosixPath(file).with_suffix("")) for file in files]
    often = Counter(stems)
    names = [stem if often[stem] == 1 else file for file, stem in zip(files, stems, strict=True)]
    return names if len(set(names)) == len(names) else list(files)
