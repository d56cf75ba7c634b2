"""Images from the generator of a checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.checkpoint import load_checkpoint
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name
from trainers.families import FAMILIES, find_family


def generate(
    path: Path | str,
    count: int,
    *,
    classes: Mapping[str, str] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """`count` images of a checkpoint's generator, from latents like those of its training.

    Args:
        path: of the checkpoint.
        count: how many.
        classes: the wanted class of an attribute, such as ``{"hair": "blonde"}``; random where not given.
        seed: of the latents, and of classes not given.
        device: where to compute.

    Returns:
        ``[count, 3, S, S]`` float32 in [-1, 1].

    Raises:
        UserError: the checkpoint is missing or damaged, or its generator has no such class or translates images (see
            `translate`).
    """
    checkpoint = load_checkpoint(Path(path), device)
    config = TrainConfig.build(checkpoint["config"])
    family = find_family(config)
    if family.directions:
        raise UserError(f"{path} holds a {config.family}, which translates images: use trainers.inference.translate")
    if classes and not family.classes(config):
        raise UserError(f"{path} holds a generator without classes, got {dict(classes)}")
    inputs = family.sampling_inputs(config, count, wanted=classes or {}, seed=seed)
    generator = _generator(checkpoint, config, device)
    return torch.cat([generator(part) for part in inputs.to(device).split(256)])


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
    checkpoint = load_checkpoint(Path(path), images.device)
    config = TrainConfig.build(checkpoint["config"])
    directions = find_family(config).directions
    if not directions:
        translating = " or ".join(name for name, family in FAMILIES.items() if family.directions)
        raise UserError(f"{path} holds no {translating}: use trainers.inference.generate")
    if direction not in directions:
        raise unknown_name("direction", direction, directions)
    generator = _generator(checkpoint, config, images.device).get_submodule(direction)
    return torch.cat([generator(part) for part in images.split(64)])


def load_generator(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The generator of a checkpoint, its moving average where there is one, ready to sample.

    Returns:
        A module in eval mode: from what `Family.sampling_inputs` gives to images ``[B, 3, S, S]`` in [-1, 1]; or, where
        the family has `directions`, a ModuleDict of modules by these names, from images to images.
    """
    checkpoint = load_checkpoint(path, device)
    return _generator(checkpoint, TrainConfig.build(checkpoint["config"]), device)


def _generator(checkpoint: dict[str, Any], config: TrainConfig, device: torch.device | str) -> nn.Module:
    generator, _ = find_family(config).build_pair(config)
    family = checkpoint["family"]
    generator.load_state_dict(family.get("average", family["generator"]))
    return generator.to(device).eval().requires_grad_(False)
