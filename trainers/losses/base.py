"""The interface of a loss."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor

from trainers.config import LossConfig
from trainers.loss_scale import LossScale


class GanLoss(ABC):
    """Pure functions of ``(real_logits, fake_logits)``, always in that order, for G too.

    Logits are raw outputs of D, ``[B, ...]`` (``[B, 1]``, or ``[B, 1, h, w]`` of a PatchGAN), one share of the global
    batch per rank. A loss is the mean of its terms over the rank's own logits; means that stand inside a term use
    `trainers.distributed.batch_mean`, so that any number of ranks computes the same thing.

    Attributes:
        relativistic: whether `g_loss` uses the real logits, so that G's step needs D's logits of real images.
    """

    relativistic: ClassVar[bool] = False

    @classmethod
    def from_config(cls, config: LossConfig) -> Self:
        """Build the loss from `config`. A loss without labels, as by default, reads nothing from it.

        Raises:
            UserError: labels that the loss cannot use.
        """
        return cls()

    @abstractmethod
    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that D minimises."""

    @abstractmethod
    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that G minimises. `real_logits` carry no gradient."""

    @abstractmethod
    def scale(self) -> LossScale:
        """Which of its values mean that D, or G, has won: rules that end doomed trials ask it.

        Each pair of values is (where it has won, where D tells nothing apart and does the best it can); None where no
        value means it. They depend on the labels.
        """

    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, shaped as the logits, of real images and fakes; above zero: D judges the image real."""
        return real_logits, fake_logits
