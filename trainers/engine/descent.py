"""Gradient descent of one network: first the gradients, then the update."""

import torch
from torch import Tensor, nn

from trainers.distributed import average_gradients
from trainers.regularizers import clip_weights


class Descent:
    """`backward` stores gradients on the network; then `apply` updates it with them, or `drop` discards them.

    Args:
        network: what is updated.
        optimizer: of all parameters of `network`.
        grad_clip_norm: gradients of a larger norm are scaled down to it; None: no clipping.
        weight_clip: every update clamps the weights to +- this; None: no clipping.

    Attributes:
        network: as given.
        optimizer: as given; its state is what a checkpoint keeps.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        grad_clip_norm: float | None,
        weight_clip: float | None = None,
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self._grad_clip_norm, self._weight_clip = grad_clip_norm, weight_clip

    def backward(self, loss: Tensor) -> None:
        """Compute this rank's gradients of `loss`; earlier gradients are discarded."""
        self.optimizer.zero_grad()
        loss.backward()

    def apply(self) -> Tensor:
        """Update with the mean of all ranks' gradients. Returns its norm before any clipping, a scalar."""
        parameters = list(self.network.parameters())
        average_gradients(parameters)
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self._grad_clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self._grad_clip_norm, norm)
        self.optimizer.step()
        if self._weight_clip is not None:
            clip_weights(self.network, self._weight_clip)
        return norm

    def drop(self) -> None:
        """Discard the gradients: weights and optimiser stay as they are."""
        self.optimizer.zero_grad()
