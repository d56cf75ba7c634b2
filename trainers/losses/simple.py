"""The simple loss of the Zalo motorbike article: D's probabilities themselves."""

from torch import Tensor

from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss


class Simple(GanLoss):
    """D's mean distance from its targets, 1 for real images and 0 for fakes; with D = sigmoid of the logit::

        D: mean (1 - D(xr)) + mean (D(xf) - 0)
        G: mean (1 - D(xf))

    Where D is sure, right or wrong, both gradients vanish: there is no logarithm to undo the sigmoid's flat ends.
    """

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Sum of both mean distances, 0 to 2."""
        return _distance_from_real(real_logits) + fake_logits.sigmoid().mean()

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean distance of the fakes from being real, 0 to 1."""
        return _distance_from_real(fake_logits)

    def scale(self) -> LossScale:
        """Each distance is 0 at best, and 1/2 at a probability of 1/2."""
        return LossScale.between(d=(0, 1), g=(0, 0.5))


def _distance_from_real(logits: Tensor) -> Tensor:
    return (-logits).sigmoid().mean()  # 1 - sigmoid(x), which would be 0 in float32 for logits above 17
