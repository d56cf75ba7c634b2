"""Relativistic average cross-entropy (Jolicoeur-Martineau 2018, arXiv:1807.00734)."""

from math import log

import torch.nn.functional as F
from torch import Tensor

from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss
from trainers.losses.relative import relative


class RaSGAN(GanLoss):
    """D predicts the probability that an image is more real than the average of the other kind.

    With r = C(xr) - mean C(xf) and f = C(xf) - mean C(xr)::

        D: -(mean log sigmoid(r) + mean log(1 - sigmoid(f)))
        G: the same with the kinds swapped

    It is a sum, as in the paper; the paper's code halves it.
    """

    relativistic = True

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Sum of both cross-entropies."""
        real, fake = relative(real_logits, fake_logits)
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """`d_loss` with real and fake logits swapped."""
        return self.d_loss(fake_logits, real_logits)

    def scale(self) -> LossScale:
        """Two cross-entropies."""
        return LossScale.between(d=(0, 2 * log(2)), g=(0, 2 * log(2)))

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Relative logits."""
        return relative(real_logits, fake_logits)
