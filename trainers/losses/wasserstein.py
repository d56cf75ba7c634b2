"""Wasserstein distance (Arjovsky et al. 2017, arXiv:1701.07875)."""

from torch import Tensor

from trainers.distributed import batch_mean
from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss


class Wasserstein(GanLoss):
    """D, the critic, scores real images as far above fakes as it can; G raises the scores of its fakes::

        D: mean C(xf) - mean C(xr)
        G: -mean C(xf)

    This estimates a distance only if D's slope is bounded: by weight clipping or the gradient penalty, both in
    `trainers.regularizers`. The README of the Edouard99/GAN repository has sums; its code and this class take means.
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Minus the estimated distance."""
        return fake_logits.mean() - real_logits.mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Minus the mean score of the fakes."""
        return -fake_logits.mean()

    def scale(self) -> LossScale:
        """No value means anything: a critic's scores have no zero and no unit, and its loss no lowest value."""
        return LossScale.between(d=None, g=None)

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Scores minus the midpoint of both global means, since the zero of a critic's scores means nothing."""
        middle = (batch_mean(real_logits) + batch_mean(fake_logits)) / 2
        return real_logits - middle, fake_logits - middle
