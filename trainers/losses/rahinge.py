"""Relativistic average hinge (Jolicoeur-Martineau 2018, arXiv:1807.00734)."""

import torch.nn.functional as F
from torch import Tensor

from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss
from trainers.losses.relative import relative


class RaHinge(GanLoss):
    """D wants real logits at least 1 above the average fake one, and fake logits 1 below the average real one.

    With r = C(xr) - mean C(xf) and f = C(xf) - mean C(xr)::

        D: mean max(0, 1 - r) + mean max(0, 1 + f)
        G: the same with the kinds swapped
    """

    relativistic = True

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Sum of the mean distances by which both kinds miss their margins."""
        real, fake = relative(real_logits, fake_logits)
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """`d_loss` with real and fake logits swapped."""
        return self.d_loss(fake_logits, real_logits)

    def scale(self) -> LossScale:
        """A margin met by both kinds, and none by an undecided D."""
        return LossScale.between(d=(0, 2), g=(0, 2))

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Relative logits."""
        return relative(real_logits, fake_logits)
