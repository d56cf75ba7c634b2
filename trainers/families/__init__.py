"""Update topologies by name: which networks there are and which of them a step updates."""

import torch

from trainers.config import TrainConfig
from trainers.families.adversarial import STEP_METRICS, Adversarial
from trainers.losses import build_loss
from trainers.networks import build_networks
from trainers.randomness import GlobalRandom

FAMILIES = {"adversarial": Adversarial}


def check_buildable(config: TrainConfig) -> None:
    """Find out whether the networks and the loss that `config` names can be built, without memory or work.

    Raises:
        UserError: no such loss or network.
    """
    build_loss(config.loss)
    with torch.device("meta"):
        build_networks(config.network, config.data.image_size)


def build_family(config: TrainConfig, device: torch.device, random: GlobalRandom) -> Adversarial:
    """The family that `config` names, with fresh weights that depend on its seed alone."""
    return FAMILIES[config.family](config, device, random)


__all__ = ["FAMILIES", "STEP_METRICS", "Adversarial", "build_family", "check_buildable"]
