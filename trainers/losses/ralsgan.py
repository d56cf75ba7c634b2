"""Relativistic average least squares (Jolicoeur-Martineau 2018, arXiv:1807.00734).

The default labels are those of the Zalo motorbike article.
"""

from dataclasses import dataclass

from torch import Tensor

from trainers.config import LossConfig
from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss
from trainers.losses.label_values import label_pair
from trainers.losses.relative import relative


@dataclass(frozen=True, kw_only=True)
class RaLSGAN(GanLoss):
    """Regresses to a label how much more real an image is than the average of the other kind.

    With y = `real_label` and `fake_label` = -y this is the Zalo motorbike article::

        D: (mean((C(xr) - mean C(xf) - y)^2) + mean((C(xf) - mean C(xr) + y)^2)) / 2
        G: the same with the signs of y swapped

    Attributes:
        real_label: D's target for C(xr) - mean C(xf).
        fake_label: D's target for C(xf) - mean C(xr).
    """

    relativistic = True
    real_label: float = 0.8
    fake_label: float = -0.8

    @classmethod
    def from_config(cls, config: LossConfig) -> "RaLSGAN":
        """Labels of `config`; a real label of None is the article's 0.8, a fake label of None mirrors the real one.

        Raises:
            UserError: the real label is not above the fake one.
        """
        mirrored = -0.8 if config.real_label is None else -config.real_label
        real_label, fake_label = label_pair(config, real=0.8, fake=mirrored)
        return cls(real_label=real_label, fake_label=fake_label)

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Halved sum of both squared errors."""
        return self._squared_errors(real_logits, fake_logits, self.real_label, self.fake_label)

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """`d_loss` with the two labels swapped."""
        return self._squared_errors(real_logits, fake_logits, self.fake_label, self.real_label)

    def scale(self) -> LossScale:
        """Means of both relative logits are a and -a, so both errors are 0 only where the labels mirror each other.

        D's best a is (real_label - fake_label) / 2, G's is minus that; an undecided D has a = 0.
        """
        won, undecided = ((self.real_label + self.fake_label) / 2) ** 2, (self.real_label**2 + self.fake_label**2) / 2
        return LossScale.between(d=(won, undecided), g=(won, undecided))

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Relative logits, shifted so that zero is midway between the labels."""
        real, fake = relative(real_logits, fake_logits)
        middle = (self.real_label + self.fake_label) / 2
        return real - middle, fake - middle

    def _squared_errors(
        self, real_logits: Tensor, fake_logits: Tensor, real_target: float, fake_target: float
    ) -> Tensor:
        real, fake = relative(real_logits, fake_logits)
        return ((real - real_target).square().mean() + (fake - fake_target).square().mean()) / 2
