"""Update topologies by name: which networks there are and which of them a step updates.

A new one is one file with a subclass of `Family` and one row here; tests/contracts runs on every row.
"""

from contextlib import nullcontext

import torch

from trainers.config import TrainConfig
from trainers.engine.blank import without_draws
from trainers.engine.frozen import freeze_layers
from trainers.errors import unknown_name
from trainers.families.acgan import AcGan
from trainers.families.adversarial import Adversarial
from trainers.families.base import Family, FidTarget
from trainers.families.cyclegan import CycleGan
from trainers.loss_scale import LossScale
from trainers.losses import build_loss
from trainers.randomness import GlobalRandom
from trainers.regimes import build_regime
from trainers.regularizers import check_policy

FAMILIES: dict[str, type[Family]] = {
    "acgan": AcGan,
    "adversarial": Adversarial,
    "cyclegan": CycleGan,
}


def find_family(config: TrainConfig) -> type[Family]:
    """The family that `config` names.

    Raises:
        UserError: there is none of that name.
    """
    if config.family not in FAMILIES:
        raise unknown_name("family", config.family, FAMILIES)
    return FAMILIES[config.family]


def check_buildable(config: TrainConfig) -> None:
    """Check that everything that `config` names can be built, on the meta device: without memory or work.

    Raises:
        UserError: no such family, loss, regime, network or augmentation, they do not fit together, or D has not more
            layers than are to be frozen.
    """
    family = find_family(config)
    build_loss(config.loss)
    build_regime(config.regime)
    check_policy(config.regularizer.diffaugment)
    with torch.device("meta"):
        _, discriminator = family.build_pair(config)
    freeze_layers(discriminator, config.init.freeze_d_layers)


def loss_scale(config: TrainConfig) -> LossScale:
    """What the values of ``d_loss`` and ``g_loss`` of a run mean."""
    return find_family(config).loss_scale(config)


def build_family(config: TrainConfig, device: torch.device, random: GlobalRandom, *, blank: bool = False) -> Family:
    """The family that `config` names, with fresh weights that depend on its seed alone.

    Args:
        config: the run.
        device: where it trains.
        random: its source of random numbers.
        blank: leave out the weights, because `Family.load_state_dict` comes next, which sets all of them.
    """
    with without_draws() if blank else nullcontext():
        return find_family(config)(config, device, random)


__all__ = ["FAMILIES", "Family", "FidTarget", "build_family", "check_buildable", "find_family", "loss_scale"]
