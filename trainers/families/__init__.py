"""Update topologies by name: which networks there are and which of them a step updates."""

import torch

from trainers.config import TrainConfig
from trainers.families.adversarial import STEP_METRICS, Adversarial
from trainers.randomness import GlobalRandom

FAMILIES = {"adversarial": Adversarial}


def build_family(config: TrainConfig, device: torch.device, random: GlobalRandom) -> Adversarial:
    """The family that `config` names, with fresh weights that depend on its seed alone."""
    return FAMILIES[config.family](config, device, random)


__all__ = ["FAMILIES", "STEP_METRICS", "Adversarial", "build_family"]
