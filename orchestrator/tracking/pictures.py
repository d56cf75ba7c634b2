"""Pictures for MLflow's image grid: parts of a sample grid, legible as thumbnails, and real images beside them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.samples import PADDING, enlargement

SIDE = 4  # tiles in a row and a column; MLflow's thumbnails are some 200 pixels wide
LINE = 6  # pixels between real and generated images


def tile_of(image_size: int) -> int:
    """Side of a tile of a sample grid, see `trainers.samples.save_grid`."""
    return image_size * enlargement(image_size)


def corner(grid: Image.Image, image_size: int, rows: int = SIDE) -> Image.Image:
    """The first `SIDE` tiles of the first `rows` rows: the same latents in every grid."""
    step = tile_of(image_size) + PADDING
    size = min(grid.width, SIDE * step + PADDING), min(grid.height, rows * step + PADDING)
    return grid.convert("RGB").crop((0, 0, *size))


def real_above(grid: Image.Image, real: list[Image.Image]) -> Image.Image:
    """A row of real images above the corner of a sample grid.

    Args:
        grid: of a trial.
        real: `SIDE` images, all of one size S.
    """
    size = real[0].width
    tile, fake = tile_of(size), corner(grid, size, rows=SIDE - 1)
    strip = Image.new("RGB", (SIDE * (tile + PADDING) + PADDING, tile + PADDING + LINE + fake.height), "white")
    for place, image in enumerate(real):
        strip.paste(image.resize((tile, tile), Image.Resampling.NEAREST), (PADDING + place * (tile + PADDING), PADDING))
    strip.paste(fake, (0, tile + PADDING + LINE))
    return strip


def real_images(data: Path, config: TrainConfig) -> list[Image.Image]:
    """The first `SIDE` images of the data, as the trial sees them; empty where they are not on this machine.

    Also empty for a family whose sample grids hold real images already.
    """
    from trainers.data.decode import SkippedError, decode_image
    from trainers.data.source import open_source
    from trainers.families import find_family

    if find_family(config).directions:
        return []

    def decoded() -> Iterator[Image.Image]:
        for _, item in open_source(data).items():
            try:
                pixels = decode_image(item, config.data.image_size, config.data.fit)
            except SkippedError:
                continue
            yield Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))

    try:
        found = list(islice(decoded(), SIDE))
    except (OSError, UserError):
        return []
    return found if len(found) == SIDE else []
