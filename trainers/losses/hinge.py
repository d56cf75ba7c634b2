"""Hinge (Lim & Ye 2017, arXiv:1705.02894; as used by SAGAN, arXiv:1805.08318)."""

import torch.nn.functional as F
from torch import Tensor

from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss


class Hinge(GanLoss):
    """Margins for D, a plain mean for G::

        D: mean max(0, 1 - C(xr)) + mean max(0, 1 + C(xf))
        G: -mean C(xf)

    D wants real images above 1 and fakes below -1, and does not care how far.
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Sum of the mean distances by which both kinds miss their margins."""
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Minus the mean logit of the fakes."""
        return -fake_logits.mean()

    def scale(self) -> LossScale:
        """D has won where every margin is met; G where its fakes lie at the margin of real images.

        G's loss falls further, but an undecided D may put all images anywhere between the margins.
        """
        return LossScale.between(d=(0, 2), g=(-1, 0))
