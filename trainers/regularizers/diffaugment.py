"""Differentiable augmentation of all inputs of D, real and fake (Zhao et al. 2020, arXiv:2006.10738)."""

from collections.abc import Callable

import torch
from torch import Tensor

from trainers.distributed import world_size
from trainers.errors import unknown_name
from trainers.randomness import GlobalRandom

SHIFT = 1 / 8  # largest translation, share of the side
HOLE = 1 / 2  # side of the cutout, share of the image's


def check_policy(policy: str) -> None:
    """Check that `diff_augment` knows every part of `policy`.

    Raises:
        UserError: it does not know one.
    """
    for part in _parts(policy):
        if part not in PARTS:
            raise unknown_name("part of regularizer.diffaugment", part, PARTS)


def diff_augment(images: Tensor, policy: str, random: GlobalRandom) -> Tensor:
    """Augment every image in its own way; gradients flow back to `images`.

    Every policy but the empty one draws the same numbers, so that one part does not change what another does.

    Args:
        images: float [B, C, H, W], this rank's share of a batch, about [-1, 1].
        policy: some of color, translation and cutout, with commas between; carried out in that order.
        random: on the images' device.

    Returns:
        [B, C, H, W] of the same dtype; `images` itself for an empty policy.
    """
    parts = _parts(policy)
    if not parts:
        return images
    assert images.ndim == 4, images.shape
    draws = random.uniform(len(images) * world_size(), 7)
    for part in parts:
        augment, columns = PARTS[part]
        images = augment(images, draws[:, columns])
    return images


def color(images: Tensor, draws: Tensor) -> Tensor:
    """Brightness, then saturation, then contrast, from draws [B, 3] uniform in [0, 1).

    Brightness adds -0.5 to 0.5. Saturation scales the distance from each pixel's grey by 0 to 2, contrast that from the
    image's mean by 0.5 to 1.5. Nothing is clamped, which would stop gradients.
    """
    brightness, saturation, contrast = draws.to(images.dtype)[:, :, None, None, None].unbind(1)
    images = images + (brightness - 0.5)
    images = _scale_from(images.mean(1, keepdim=True), images, 2 * saturation)
    return _scale_from(images.mean((1, 2, 3), keepdim=True), images, contrast + 0.5)


def translate(images: Tensor, draws: Tensor) -> Tensor:
    """Shift by whole pixels, up to an eighth of the side either way, from draws [B, 2]; pixels from outside are 0."""
    height, width = images.shape[2:]
    rows, rows_inside = _shifted(draws[:, 0], height)
    columns, columns_inside = _shifted(draws[:, 1], width)
    source = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)  # [B, H * W]
    # One gather: grid_sample would blend neighbours where a coordinate is rounded, and has no second derivative.
    moved = images.flatten(2).gather(2, source[:, None].expand(-1, images.shape[1], -1)).view_as(images)
    inside = rows_inside[:, None, :, None] & columns_inside[:, None, None, :]
    return moved.masked_fill(~inside, 0)


def cutout(images: Tensor, draws: Tensor) -> Tensor:
    """Zero a rectangle of half the sides around any pixel, from draws [B, 2]; it may cross the border."""
    height, width = images.shape[2:]
    hole = _covered(draws[:, 0], height)[:, None, :, None] & _covered(draws[:, 1], width)[:, None, None, :]
    return images.masked_fill(hole, 0)


PARTS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], slice]] = {
    "color": (color, slice(0, 3)),
    "translation": (translate, slice(3, 5)),
    "cutout": (cutout, slice(5, 7)),
}


def _parts(policy: str) -> list[str]:
    return [part.strip() for part in policy.split(",") if part.strip()]


def _scale_from(centre: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    return centre + (images - centre) * factor


def _shifted(uniform: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """For each place 0..length-1, ``[B, length]``: the source place it shows, and whether that is inside."""
    reach = round(length * SHIFT)
    source = torch.arange(length, device=uniform.device) + (_integers(uniform, 2 * reach + 1) - reach)[:, None]
    return source.clamp(0, length - 1), (source >= 0) & (source < length)


def _covered(uniform: Tensor, length: int) -> Tensor:
    """Whether each place lies in the hole, bool ``[B, length]``."""
    size = round(length * HOLE)
    start = _integers(uniform, length + 1 - size % 2) - size // 2
    distance = torch.arange(length, device=uniform.device) - start[:, None]
    return (distance >= 0) & (distance < size)


def _integers(uniform: Tensor, n: int) -> Tensor:
    """Uniform integers 0..n-1 from float32 in [0, 1). The largest, 1 - 2^-24, times n never rounds up to n."""
    return (uniform * n).long()
