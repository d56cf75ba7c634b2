"""Losses by name. A new one is one file and one row here; tests/contracts runs on every row."""

from trainers.config import LossConfig
from trainers.errors import unknown_name
from trainers.losses.base import GanLoss
from trainers.losses.bce import BCE, Saturating
from trainers.losses.hinge import Hinge
from trainers.losses.lsgan import LSGAN
from trainers.losses.rahinge import RaHinge
from trainers.losses.ralsgan import RaLSGAN
from trainers.losses.rasgan import RaSGAN
from trainers.losses.rsgan import RSGAN
from trainers.losses.simple import Simple
from trainers.losses.wasserstein import Wasserstein

LOSSES: dict[str, type[GanLoss]] = {
    "bce": BCE,
    "hinge": Hinge,
    "lsgan": LSGAN,
    "rahinge": RaHinge,
    "ralsgan": RaLSGAN,
    "rasgan": RaSGAN,
    "rsgan": RSGAN,
    "saturating": Saturating,
    "simple": Simple,
    "wasserstein": Wasserstein,
}


def build_loss(config: LossConfig) -> GanLoss:
    """The loss that `config` names.

    Raises:
        UserError: no such loss, or labels that it cannot use.
    """
    if config.name not in LOSSES:
        raise unknown_name("loss.name", config.name, LOSSES)
    return LOSSES[config.name].from_config(config)


__all__ = ["LOSSES", "GanLoss", "RaLSGAN", "build_loss"]
