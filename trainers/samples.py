"""Sample grids: the same latents at every epoch, so that pictures can be compared."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import save_image

GRID = 8  # images per row and rows
SMALLEST_TILE = 64  # pixels; smaller images are enlarged by whole factors so that a person can see them


def save_grid(images: Tensor, path: Path) -> None:
    """Write ``[64, 3, S, S]`` images in [-1, 1] as a PNG of 8 by 8 tiles."""
    factor = max(1, SMALLEST_TILE // images.shape[-1])
    tiles = F.interpolate(images, scale_factor=factor, mode="nearest")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.png")
    save_image(tiles, temporary, nrow=GRID, normalize=True, value_range=(-1, 1))
    temporary.replace(path)
