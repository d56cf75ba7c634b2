"""Sample grids: the same inputs at every epoch, so that pictures can be compared."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import save_image

SMALLEST_TILE = 64  # pixels; smaller images are enlarged by whole factors so that a person can see them


def save_grid(images: Tensor, path: Path, columns: int) -> None:
    """Write ``[n, 3, S, S]`` images in [-1, 1] as a PNG of so many `columns`."""
    factor = max(1, SMALLEST_TILE // images.shape[-1])
    tiles = F.interpolate(images, scale_factor=factor, mode="nearest")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.png")
    save_image(tiles, temporary, nrow=columns, normalize=True, value_range=(-1, 1))
    temporary.replace(path)
