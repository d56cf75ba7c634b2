"""Losses by name. A new one is one file and one row here; tests/contracts runs on every row."""

from collections.abc import Callable

from trainers.config import LossConfig
from trainers.errors import unknown_name
from trainers.losses.base import GanLoss
from trainers.losses.ralsgan import RaLSGAN

LOSSES: dict[str, Callable[[LossConfig], GanLoss]] = {
    "ralsgan": RaLSGAN.from_config,
}


def build_loss(config: LossConfig) -> GanLoss:
    """The loss that `config` names.

    Raises:
        UserError: no such loss.
    """
    if config.name not in LOSSES:
        raise unknown_name("loss.name", config.name, LOSSES)
    return LOSSES[config.name](config)


__all__ = ["LOSSES", "GanLoss", "RaLSGAN", "build_loss"]
