"""Images from a checkpoint in one call."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from trainers.inference.finished import FinishedGenerator


def generate(
    path: Path | str,
    count: int,
    *,
    classes: Mapping[str, str] | None = None,
    seed: int = 0,
    truncation: float = 1.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """`count` images of a checkpoint's generator, from latents like those of its training.

    Args:
        path: of the checkpoint.
        count: how many.
        classes: the wanted class of an attribute, such as ``{"hair": "blonde"}``; random where not given.
        seed: of the latents, and of classes not given.
        truncation: latents are multiplied by it: below 1 images are more typical and vary less.
        device: where to compute.

    Returns:
        ``[count, 3, S, S]`` float32 in [-1, 1].

    Raises:
        UserError: the checkpoint is missing or damaged, or its generator has no such class or translates images (see
            `translate`).
    """
    generator = FinishedGenerator.load(path, device)
    return generator.images(generator.inputs(range(count), classes=classes, seed=seed, truncation=truncation))


def translate(path: Path | str, images: Tensor, direction: str = "a2b") -> Tensor:
    """Translate images to another domain, with a checkpoint of a family that translates.

    Args:
        path: of the checkpoint.
        images: ``[B, 3, S, S]`` in [-1, 1].
        direction: one of the family's, such as ``a2b`` or ``b2a``.

    Raises:
        UserError: the checkpoint is missing or damaged, or its generator has no such direction or draws latents (see
            `generate`).
    """
    return FinishedGenerator.load(path, images.device).translated(images, direction)


def load_generator(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The generator of a checkpoint, its moving average where there is one, ready to sample.

    Returns:
        A module in eval mode, see `FinishedGenerator.module`.
    """
    return FinishedGenerator.load(path, device).module
