"""What a family says without being built: its networks, the data it needs, how a finished generator is asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from trainers.config import TrainConfig
from trainers.randomness import fixed_latents

ONLY = "images"  # the name of the folder of images where there is one alone


class FamilyTraits(ABC):
    """The class-level half of a `Family`: what launch, inference and confirmation ask, which know no family by name.

    Attributes:
        directions: names of the translations that the generator makes, which are its keys in a ModuleDict; a family
            without any draws latents, so that another purpose of `Family.fid_targets` measures anew.
    """

    directions: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    @abstractmethod
    def build_pair(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
        """Fresh networks, generator first, on torch's default device.

        Raises:
            UserError: `config` names none, or they do not fit the rest of it.
        """

    @classmethod
    def find_sources(cls, data: Path) -> dict[str, Path]:
        """The folders of images that a run reads, by name; launch decodes them all. Here `data` itself.

        Args:
            data: the folder that a person gave.

        Raises:
            UserError: it does not hold what the family needs.
        """
        return {ONLY: data}

    @classmethod
    def resolve_labels(cls, config: TrainConfig, data: Path, paths: Sequence[str]) -> TrainConfig:
        """`config` with what the data alone can say of its labels, asked once at launch. Here `config` itself.

        Args:
            config: where a sweep starts; its labels may be ``auto``.
            data: the first folder of `find_sources`.
            paths: the usable images there, relative to it.

        Raises:
            UserError: the images do not have the labels that the family needs.
        """
        return config

    @classmethod
    def classes(cls, config: TrainConfig) -> Mapping[str, tuple[str, ...]]:
        """What a finished generator can be asked for: the classes of each attribute. Here none."""
        return {}

    @classmethod
    def sampling_inputs(cls, config: TrainConfig, count: int, *, wanted: Mapping[str, str], seed: int) -> Tensor:
        """Inputs of a finished generator, ``[count, ...]`` on the CPU. Here latents ``[count, latent_dim]``.

        Args:
            config: the run that it comes from.
            count: how many.
            wanted: attribute to class; empty for a family without `classes`.
            seed: of everything that is drawn.

        Raises:
            UserError: no such attribute or class.
        """
        sigma, dim = config.noise.latent_sigma, config.network.latent_dim
        return fixed_latents(count, dim, sigma, seed=seed, purpose="generate")
