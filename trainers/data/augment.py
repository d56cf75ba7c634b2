"""Flips and rotations of a batch, drawn on the CPU and applied on the images' device.

They are `transform2` of the Zalo motorbike article.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.config import DataConfig


@dataclass(frozen=True)
class Augmentation:
    """What happens to each image of a batch. On the CPU, so that asking whether anything was drawn waits for no GPU."""

    flip: Tensor  # bool [n]
    angle: Tensor  # float32 [n], degrees counter-clockwise, 0 where there is no rotation

    def __len__(self) -> int:
        return len(self.flip)

    def __getitem__(self, part: slice) -> "Augmentation":
        return Augmentation(self.flip[part], self.angle[part])


def draw_augmentation(n: int, data: DataConfig, generator: torch.Generator) -> Augmentation:
    """Draw for `n` images: a flip with `flip_p`; with `rotation_p` an angle uniform in +-`rotation_degrees`.

    The generator always advances by the same amount, so changing one probability leaves the other draws alone.
    """
    flip = torch.rand(n, generator=generator) < data.flip_p
    rotated = torch.rand(n, generator=generator) < data.rotation_p
    angle = (2 * torch.rand(n, generator=generator) - 1) * data.rotation_degrees
    return Augmentation(flip, torch.where(rotated, angle, torch.zeros(n)))


def augment(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Flip, then rotate about the centre, bilinearly, with black beyond the border.

    Images without a rotation are not resampled; when nothing was drawn, `images` itself is returned.

    Args:
        images: float [B, 3, H, W] in [-1, 1], on any device.
        augmentation: of length B.

    Returns:
        [B, 3, H, W], new unless nothing was drawn.
    """
    assert images.ndim == 4 and len(augmentation) == len(images), (images.shape, len(augmentation))
    if augmentation.flip.any():
        flip = augmentation.flip.to(images.device)
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
    turned = augmentation.angle.nonzero().squeeze(1)
    if len(turned):
        where = turned.to(images.device)
        rotated = _rotate(images[where], augmentation.angle[turned].to(images.device))
        images = images.index_copy(0, where, rotated)
    return images


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [-1, 1], as the Zalo motorbike article does: (x - 127.5) / 127.5."""
    return (images.float() - 127.5) / 127.5


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] to the uint8 that a PNG of it would hold: rounded, and clamped outside the range."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)


def _rotate(images: Tensor, degrees: Tensor) -> Tensor:
    height, width = images.shape[2:]
    cos, sin, zero = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin(), torch.zeros_like(degrees)
    # Maps an output point to the input point it shows. Both axes run from -1 to 1, hence the aspect ratio.
    theta = torch.stack([cos, -sin * height / width, zero, sin * width / height, cos, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False).to(images.dtype)
    # grid_sample knows zero as the only constant fill; shifted by one, zero is black.
    return F.grid_sample(images + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False) - 1
