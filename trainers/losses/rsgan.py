"""Relativistic cross-entropy of pairs (Jolicoeur-Martineau 2018, arXiv:1807.00734)."""

from math import log

import torch.nn.functional as F
from torch import Tensor

from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss
from trainers.losses.relative import relative


class RSGAN(GanLoss):
    """D predicts the probability that a real image is more real than the fake it is paired with::

        D: -mean log sigmoid(C(xr) - C(xf))
        G: -mean log sigmoid(C(xf) - C(xr))

    The i-th real image of a batch is paired with the i-th fake.
    """

    relativistic = True

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Cross-entropy of "the real one is more real". Both shapes are the same."""
        assert real_logits.shape == fake_logits.shape, f"{tuple(real_logits.shape)}, {tuple(fake_logits.shape)}"
        return F.softplus(fake_logits - real_logits).mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Cross-entropy of "the fake is more real"."""
        return self.d_loss(fake_logits, real_logits)

    def scale(self) -> LossScale:
        """One cross-entropy."""
        return LossScale.between(d=(0, log(2)), g=(0, log(2)))

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits relative to the average of the other kind, since the pairs of a batch are random."""
        return relative(real_logits, fake_logits)
