"""Images from the generator of a checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.checkpoint import load_checkpoint
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name
from trainers.families import FAMILIES
from trainers.families.acgan import class_counts, join_inputs, wanted_classes
from trainers.families.cyclegan import DIRECTIONS
from trainers.randomness import fixed_latents


def generate(
    path: Path | str,
    count: int,
    *,
    classes: Mapping[str, str] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """`count` images of a checkpoint's generator, from latents as it was trained on.

    Args:
        path: of the checkpoint.
        count: how many.
        classes: for family acgan, the class wanted of each attribute, ``{"hair": "blonde"}``; random where not given.
        seed: of the latents, and of classes not given.
        device: where to compute.

    Returns:
        ``[count, 3, S, S]`` float32 in [-1, 1].

    Raises:
        UserError: no whole checkpoint, no such class, or a generator that translates images (see `translate`).
    """
    checkpoint = load_checkpoint(Path(path), device)
    config = TrainConfig.build(checkpoint["config"])
    if config.family == "cyclegan":
        raise UserError(f"{path} holds a cyclegan, which translates images: use trainers.inference.translate")
    sigma, dim = config.noise.latent_sigma, config.network.latent_dim
    inputs = fixed_latents(count, dim, sigma, seed=seed, purpose="generate")
    if config.family == "acgan":
        inputs = join_inputs(inputs, wanted_classes(config, classes or {}, count, seed), class_counts(config))
    elif classes:
        raise UserError(f"{path} holds a generator without classes, got {dict(classes)}")
    generator = _generator(checkpoint, config, device)
    return torch.cat([generator(part) for part in inputs.to(device).split(256)])


def translate(path: Path | str, images: Tensor, direction: str = "a2b") -> Tensor:
    """Images of one domain in the other, by a checkpoint of family cyclegan.

    Args:
        path: of the checkpoint.
        images: ``[B, 3, S, S]`` in [-1, 1].
        direction: ``a2b`` or ``b2a``.

    Raises:
        UserError: no whole checkpoint, no such direction, or another family.
    """
    checkpoint = load_checkpoint(Path(path), images.device)
    config = TrainConfig.build(checkpoint["config"])
    if config.family != "cyclegan":
        raise UserError(f"{path} holds no cyclegan: use trainers.inference.generate")
    if direction not in DIRECTIONS:
        raise unknown_name("direction", direction, DIRECTIONS)
    generator = _generator(checkpoint, config, images.device).get_submodule(direction)
    return torch.cat([generator(part) for part in images.split(64)])


def load_generator(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The generator of a checkpoint, its moving average where there is one, ready to sample.

    Returns:
        A module in eval mode. Families adversarial and acgan: latents ``[B, latent_dim]`` (drawn with
        ``noise.latent_sigma``), with one-hot classes beside them for acgan, to images ``[B, 3, S, S]`` in [-1, 1].
        Family cyclegan: a ModuleDict of ``a2b`` and ``b2a``, images to images.
    """
    checkpoint = load_checkpoint(path, device)
    return _generator(checkpoint, TrainConfig.build(checkpoint["config"]), device)


def _generator(checkpoint: dict[str, Any], config: TrainConfig, device: torch.device | str) -> nn.Module:
    generator, _ = FAMILIES[config.family].build_pair(config)
    family = checkpoint["family"]
    generator.load_state_dict(family.get("average", family["generator"]))
    return generator.to(device).eval().requires_grad_(False)
