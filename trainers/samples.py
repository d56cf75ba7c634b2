"""Sample grids: the same inputs at every epoch, so that pictures can be compared."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from trainers.atomic import replacing

SMALLEST_TILE = 64  # pixels; smaller images are enlarged by whole factors so that a person can see them
PADDING = 2  # pixels around each tile


def likeness_file(target: str = "") -> str:
    """Name of the picture of fakes beside the real images nearest to them; empty: the run has one target alone."""
    return f"nearest_{target}.png" if target else "nearest.png"


def enlargement(image_size: int) -> int:
    """How many pixels of a grid one pixel of an image is wide and high."""
    return max(1, SMALLEST_TILE // image_size)


def save_grid(images: Tensor, path: Path, columns: int) -> None:
    """Write ``[n, 3, S, S]`` images in [-1, 1] as a PNG of so many `columns`."""
    from torchvision.utils import save_image  # takes 2 s, for which neither a launch nor a rank's first step waits

    tiles = F.interpolate(images, scale_factor=enlargement(images.shape[-1]), mode="nearest")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        save_image(tiles, part, nrow=columns, padding=PADDING, normalize=True, value_range=(-1, 1))
