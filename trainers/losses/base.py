"""The interface of a loss."""

from abc import ABC, abstractmethod

from torch import Tensor


class GanLoss(ABC):
    """Pure functions of ``(real_logits, fake_logits)``, always in that order, for G too.

    Logits are raw outputs of D, ``[B, 1]``, one share of the global batch per rank. Means over the batch inside a loss
    use `trainers.distributed.batch_mean`, so that any number of ranks computes the same thing.
    """

    @abstractmethod
    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that D minimises."""

    @abstractmethod
    def g_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that G minimises. `real_logits` carry no gradient."""

    @abstractmethod
    def realness(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``([B, 1], [B, 1])`` for real images and fakes; above zero means that D takes an image for real."""
