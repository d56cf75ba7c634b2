"""What a family offers without an instance: its networks, the data it needs, the inputs of a finished generator."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers.config import TrainConfig
from trainers.loss_scale import LossScale
from trainers.losses import build_loss
from trainers.randomness import fixed_latents

ONLY = "images"  # name of the folder of images where a family has only one


class FamilyTraits(ABC):
    """The class-level half of a `Family`: what launch, inference and confirmation use for every family alike.

    Attributes:
        directions: names of the generator's translations, which are its keys in a ModuleDict. A family without
            directions draws latents; there another purpose of `Family.fid_targets` gives other samples.
    """

    directions: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    @abstractmethod
    def build_pair(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
        """Fresh networks, generator first, on torch's default device.

        Raises:
            UserError: `config` names an unknown pair, or one that does not fit its other settings.
        """

    @classmethod
    def find_sources(cls, data: Path) -> dict[str, Path]:
        """The folders of images that a run reads, by name; launch decodes them all. By default `data` itself.

        Args:
            data: the folder that the user gave.

        Raises:
            UserError: it does not hold what the family needs.
        """
        return {ONLY: data}

    @classmethod
    def resolve_labels(cls, config: TrainConfig, data: Path, paths: Sequence[str]) -> TrainConfig:
        """`config` with the labels that the data determines; called once at launch. By default `config` itself.

        Args:
            config: the base of a sweep; its labels may be ``auto``.
            data: the first folder of `find_sources`.
            paths: the usable images there, relative to it.

        Raises:
            UserError: the images do not have the labels that the family needs.
        """
        return config

    @classmethod
    def classes(cls, config: TrainConfig) -> Mapping[str, tuple[str, ...]]:
        """The classes of each attribute that a finished generator can make. By default none."""
        return {}

    @classmethod
    def loss_scale(cls, config: TrainConfig) -> LossScale:
        """What the values of ``d_loss`` and ``g_loss`` mean. By default those of the loss that `config` names."""
        return build_loss(config.loss).scale()

    @classmethod
    def sampling_inputs(
        cls,
        config: TrainConfig,
        numbers: Sequence[int],
        *,
        wanted: Mapping[str, str],
        seed: int,
        truncation: float = 1.0,
    ) -> Tensor:
        """Inputs of a finished generator, ``[len(numbers), ...]`` on the CPU. By default latents ``[..., latent_dim]``.

        Each depends on its own number and the other arguments alone, not on which others are asked for.

        Args:
            config: the run that it comes from.
            numbers: of the images, from 0.
            wanted: attribute to class; empty for a family without `classes`.
            seed: of everything that is drawn.
            truncation: factor on latents.

        Raises:
            UserError: no such attribute or class.
        """
        sigma, dim = config.noise.latent_sigma * truncation, config.network.latent_dim
        each = [fixed_latents(1, dim, sigma, seed=seed, purpose=f"generate {number}") for number in numbers]
        return torch.cat(each) if each else torch.empty(0, dim)
