"""Binary cross-entropy: the original GAN, with both of its losses for G (Goodfellow et al. 2014, arXiv:1406.2661)."""

from dataclasses import dataclass, replace
from math import log
from typing import Self

import torch.nn.functional as F
from torch import Tensor

from trainers.config import LossConfig
from trainers.errors import UserError
from trainers.loss_scale import LossScale
from trainers.losses.base import GanLoss
from trainers.losses.label_values import label_pair


@dataclass(frozen=True, kw_only=True)
class BCE(GanLoss):
    """D predicts the probability that an image is real; G wants this to be high for its fakes ("non-saturating").

    Without smoothing (labels 1 and 0), and with D = sigmoid of the logit, this is the Edouard99/GAN repository's::

        D: -(mean log D(x) + mean log(1 - D(G(z))))
        G: -mean log D(G(z))

    The code of that repository smooths both labels by 0.1: 0.95 and 0.05, for G as well.

    Attributes:
        real_label: target probability of D for real images, and of G for fakes.
        fake_label: target probability of D for fakes.
    """

    real_label: float = 1.0
    fake_label: float = 0.0

    @classmethod
    def from_config(cls, config: LossConfig) -> Self:
        """Labels of `config`.

        Raises:
            UserError: a label is no probability, or the real label is not above the fake one.
        """
        real_label, fake_label = label_pair(config, real=1.0, fake=0.0)
        if real_label > 1 or fake_label < 0:
            rule = f"loss {config.name} takes labels for probabilities: loss.real_label and loss.fake_label"
            raise UserError(f"{rule} must lie in [0, 1], got {real_label} and {fake_label}")
        return cls(real_label=real_label, fake_label=fake_label)

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Sum of both cross-entropies."""
        return _cross_entropy(real_logits, self.real_label) + _cross_entropy(fake_logits, self.fake_label)

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Cross-entropy of the fakes to the real label."""
        return _cross_entropy(fake_logits, self.real_label)

    def scale(self) -> LossScale:
        """A cross-entropy is lowest at its label, where it is the label's own entropy: above 0 for smoothed labels.

        An undecided D gives every image the mean of both labels.
        """
        return LossScale.between(
            d=(_entropy(self.real_label) + _entropy(self.fake_label), 2 * _entropy(self.undecided)),
            g=(_entropy(self.real_label), _entropy(self.real_label, self.undecided)),
        )

    @property
    def undecided(self) -> float:
        """The probability that a D which tells nothing apart gives every image."""
        return (self.real_label + self.fake_label) / 2


class Saturating(BCE):
    """D as in `BCE`; G minimises what D maximises at its fakes: mean log(1 - D(G(z))), whatever the labels.

    Where D is sure that images are fake, G gets no gradient ("saturates").
    """

    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean log(1 - D(G(z))), at most 0."""
        return -F.softplus(fake_logits).mean()

    def scale(self) -> LossScale:
        """G's loss has no lowest value: it counts as won as far below an undecided D as it is with `BCE`, log 2.

        With labels 1 and 0 this is where D gives the fakes 3/4, and both losses of G have the same slope there.
        """
        undecided = log(1 - self.undecided)
        return replace(super().scale(), g=LossScale.between(d=None, g=(undecided - log(2), undecided)).g)


def _entropy(label: float, probability: float | None = None) -> float:
    """Cross-entropy of a label to a predicted probability strictly between 0 and 1, or to the label itself."""
    if probability is None:
        probability = label
    parts = ((label, probability), (1 - label, 1 - probability))
    return sum(share * -log(predicted) for share, predicted in parts if share > 0)


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    # In float32 torch's BCE-with-logits is exactly 0 for fakes' logits of -15 and below; this keeps every digit.
    return (label * F.softplus(-logits) + (1 - label) * F.softplus(logits)).mean()
