"""Wasserstein distance (Arjovsky et al. 2017, arXiv:1701.07875)."""

from torch import Tensor

from trainers.distributed import batch_mean
from trainers.losses.base import GanLoss


class Wasserstein(GanLoss):
    """D, the critic, scores real images as far above fakes as something else lets it; G wants its fakes up::

        D: mean C(xf) - mean C(xr)
        G: -mean C(xf)

    Only a bounded slope of D makes this a distance: see `trainers.regularizers` for weight clipping and the gradient
    penalty. The README of Edouard99/GAN writes sums where its code and this take means.
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Minus the estimated distance."""
        return fake_logits.mean() - real_logits.mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Minus the mean score of the fakes."""
        return -fake_logits.mean()

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Scores less the midpoint of both global means: a critic's scores have no zero of their own."""
        middle = (batch_mean(real_logits) + batch_mean(fake_logits)) / 2
        return real_logits - middle, fake_logits - middle
