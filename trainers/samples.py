"""Sample grids: the same inputs at every epoch, so that pictures can be compared."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import save_image

from trainers.atomic import replacing

SMALLEST_TILE = 64  # pixels; smaller images are enlarged by whole factors so that a person can see them


def save_grid(images: Tensor, path: Path, columns: int) -> None:
    """Write ``[n, 3, S, S]`` images in [-1, 1] as a PNG of so many `columns`."""
    factor = max(1, SMALLEST_TILE // images.shape[-1])
    tiles = F.interpolate(images, scale_factor=factor, mode="nearest")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        save_image(tiles, part, nrow=columns, normalize=True, value_range=(-1, 1))
