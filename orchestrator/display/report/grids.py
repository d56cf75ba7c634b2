"""A trial's sample grids: their pixels without the frames between tiles."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.samples import PADDING, enlargement

MOST_PIXELS = 64 << 20  # of a grid: larger ones are not opened

Grid = NDArray[np.uint8]  # [rows, columns, S, S, 3]


def read_grid(path: Path, image_size: int) -> Grid | None:
    """The images of a grid, each as large as it was made; a grid of another layout is one image. None: unreadable.

    Args:
        path: of the file.
        image_size: side of an image, pixels.
    """
    try:
        with Image.open(path) as file:
            if file.width * file.height > MOST_PIXELS:
                return None
            pixels = np.asarray(file.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow says of damaged files
        return None
    factor = enlargement(image_size)
    pitch = image_size * factor + PADDING
    height, width = pixels.shape[:2]
    rows, columns = (height - PADDING) // pitch, (width - PADDING) // pitch
    if rows < 1 or columns < 1 or (height - PADDING) % pitch or (width - PADDING) % pitch:
        return pixels[None, None]
    tiles = pixels[PADDING:, PADDING:].reshape(rows, pitch, columns, pitch, 3)
    return tiles[:, : pitch - PADDING : factor, :, : pitch - PADDING : factor].transpose(0, 2, 1, 3, 4)
