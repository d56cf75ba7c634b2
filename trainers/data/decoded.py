"""A folder's images as a training has them, written as files."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.data.decode import SkippedError, decode_image
from trainers.data.pool import cores, in_order
from trainers.data.source import open_source

Progress = Callable[[int, int], None]


def write_decoded(folder: Path, out: Path, *, image_size: int, fit: str, progress: Progress | None = None) -> int:
    """Write the images of `folder` as square PNGs into `out`, which is made; returns how many.

    Files without a usable image are left out.

    Args:
        folder: of images, with any subfolders, or a prepared dataset.
        out: ``00000.png`` and so on, in the order of the files.
        image_size, fit: see `decode_image`.
        progress: called with (files done, files in all).

    Raises:
        UserError: the folder is missing.
    """

    def decode(item: tuple[str, Path | bytes]) -> NDArray[np.uint8] | None:
        try:
            return decode_image(item[1], image_size, fit)
        except SkippedError:
            return None

    images, written = open_source(folder), 0
    out.mkdir()
    with ThreadPoolExecutor(cores()) as pool, closing(in_order(pool, decode, images.items())) as decoded:
        for done, pixels in enumerate(decoded, 1):
            if pixels is not None:
                Image.fromarray(pixels.transpose(1, 2, 0)).save(out / f"{written:05d}.png", compress_level=1)
                written += 1
            if progress is not None:
                progress(done, images.total)
    return written
