"""Photographs made worse, step by step: an extractor is fit for FID when the distance grows with every step."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.data.augment import to_uint8, to_unit_range

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def blur(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Shrunk by up to a factor of 8 and enlarged again."""
    side = images.shape[-1]
    small = max(round(side * (1 / 8) ** strength), 1)
    shrunk = F.interpolate(images, (small, small), mode="bilinear", antialias=True)
    return F.interpolate(shrunk, (side, side), mode="bilinear")


def noise(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """With normal noise of up to half the range."""
    return images + strength * torch.randn(images.shape, generator=generator)


def boxes(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """With a grey square of up to three quarters of the side at a random place."""
    side = images.shape[-1]
    hole = round(0.75 * strength * side)
    disturbed = images.clone()
    for image in disturbed:
        top, left = torch.randint(0, side - hole + 1, (2,), generator=generator).tolist()
        image[:, top : top + hole, left : left + hole] = 0
    return disturbed


def mixed(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """A growing share of them replaced by uniform noise."""
    disturbed = images.clone()
    count = round(strength * len(images))
    disturbed[:count] = 2 * torch.rand(disturbed[:count].shape, generator=generator) - 1
    return disturbed


def dropped_modes(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Fewer and fewer different ones, down to one; each is repeated."""
    different = max(round(len(images) * (1 - strength)), 1)
    return images[torch.arange(len(images)) % different]


def grey(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Faded towards plain grey."""
    return images * (1 - strength)


DISTURBANCES: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "blur": blur,
    "noise": noise,
    "boxes": boxes,
    "mixed with noise": mixed,
    "dropped modes": dropped_modes,
    "fading to grey": grey,
}


def disturbed(images: Tensor, kind: str, strength: float) -> Tensor:
    """uint8 ``[n, 3, S, S]`` made worse.

    Args:
        images: uint8 ``[n, 3, S, S]``.
        kind: a key of `DISTURBANCES`.
        strength: from 0, the images themselves, to 1.
    """
    generator = torch.Generator().manual_seed(0)
    return to_uint8(DISTURBANCES[kind](to_unit_range(images), strength, generator))
