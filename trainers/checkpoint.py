"""Checkpoints: written under a temporary name, then renamed; loaded with ``weights_only=True``.

One holds the networks, the moving average, the optimisers and the counters. The random state and the position in the
data are the epoch number: `trainers.randomness` reseeds from it.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.atomic import replacing
from trainers.config import TrainConfig, flatten
from trainers.errors import UserError, first_line, unknown_name
from trainers.families import FAMILIES
from trainers.families.acgan import class_counts, join_inputs, wanted_classes
from trainers.families.cyclegan import DIRECTIONS
from trainers.randomness import fixed_latents

LATEST, BEST = "latest.pt", "best.pt"


@dataclass(kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: epochs finished.
        images_seen: real images shown to D, over all ranks.
        objective: lowest FID inside the window so far.
        best_epoch: the epoch it was measured at.
    """

    epoch: int = 0
    images_seen: int = 0
    objective: float | None = None
    best_epoch: int | None = None


def save_checkpoint(path: Path, config: TrainConfig, progress: Progress, family_state: dict[str, Any]) -> None:
    """Write a checkpoint that is either whole or not there."""
    content = {"config": config.model_dump(), "progress": asdict(progress), "family": family_state}
    # An open file, since torch would call the archive's top folder by the temporary name.
    with replacing(path) as part, part.open("wb") as file:
        torch.save(content, file)


def keep_as_best(run_dir: Path) -> None:
    """Let ``best.pt`` be today's ``latest.pt``; a hard link where the file system has them, else a copy."""
    with replacing(run_dir / BEST) as part:
        try:
            os.link(run_dir / LATEST, part)
        except OSError:
            shutil.copyfile(run_dir / LATEST, part)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The checkpoint's ``config``, ``progress`` and ``family``.

    Raises:
        UserError: the file is missing or is no checkpoint.
    """
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}") from None
    except Exception as error:  # zip reader and unpickler raise many types for damaged files: OSError, KeyError, ...
        raise UserError(f"{path} is not a whole checkpoint: {first_line(error)}") from None
    if not isinstance(checkpoint, dict) or not {"config", "progress", "family"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of a run")
    return checkpoint


def check_same_config(saved: dict[str, Any], config: TrainConfig) -> None:
    """Refuse to go on with another experiment's weights; ``runtime.*`` may change.

    Raises:
        UserError: naming every key that differs.
    """
    before, now = flatten(saved), config.flat()
    changed = [
        f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and not name.startswith("runtime.")
    ]
    if changed:
        raise UserError(f"the checkpoint belongs to another config: {'; '.join(changed)}")


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
        raise UserError(f"{path} holds a cyclegan, which translates images: use trainers.checkpoint.translate")
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
        raise UserError(f"{path} holds no cyclegan: use trainers.checkpoint.generate")
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
