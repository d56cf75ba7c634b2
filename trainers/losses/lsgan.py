"""Least squares (Mao et al. 2017, arXiv:1611.04076)."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from trainers.config import LossConfig
from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss
from trainers.losses.label_values import label_pair


@dataclass(frozen=True, kw_only=True)
class LSGAN(GanLoss):
    """Logits regressed to a label::

        D: (mean((C(xr) - real_label)^2) + mean((C(xf) - fake_label)^2)) / 2
        G: mean((C(xf) - real_label)^2)

    The paper halves G's loss too. The CycleGAN code that the MLDS HW4 report used halves D's alone, and its weight of
    the cycle error is chosen for a G loss that is not halved, so this class does the same.

    Attributes:
        real_label: D's target for real images, G's for fakes (the paper's b and c).
        fake_label: D's target for fakes (the paper's a).
    """

    real_label: float = 1.0
    fake_label: float = 0.0

    @classmethod
    def from_config(cls, config: LossConfig) -> Self:
        """Labels of `config`.

        Raises:
            UserError: the real label is not above the fake one.
        """
        real_label, fake_label = label_pair(config, real=1.0, fake=0.0)
        return cls(real_label=real_label, fake_label=fake_label)

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Halved sum of both squared errors."""
        return (_squared_error(real_logits, self.real_label) + _squared_error(fake_logits, self.fake_label)) / 2

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Squared error of the fakes to the real label."""
        return _squared_error(fake_logits, self.real_label)

    def scale(self) -> LossScale:
        """An undecided D puts all logits midway between the labels."""
        undecided = ((self.real_label - self.fake_label) / 2) ** 2
        return LossScale.between(d=(0, undecided), g=(0, undecided))

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, shifted so that zero is midway between the labels."""
        middle = (self.real_label + self.fake_label) / 2
        return real_logits - middle, fake_logits - middle


def _squared_error(logits: Tensor, label: float) -> Tensor:
    return (logits - label).square().mean()
