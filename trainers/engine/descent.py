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

    def apply(self, allowed: Tensor | None = None) -> Tensor:
        """Update with the mean of all ranks' gradients. Returns its norm before any clipping, a scalar.

        Args:
            allowed: bool scalar on the device; where it is False, weights and optimiser stay as they are to the last
                bit. None: they are updated.
        """
        parameters = list(self.network.parameters())
        average_gradients(parameters)
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self._grad_clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self._grad_clip_norm, norm)
        if allowed is None:
            self._step()
        else:
            self._step_if(allowed)
        return norm

    def drop(self) -> None:
        """Discard the gradients: weights and optimiser stay as they are."""
        self.optimizer.zero_grad()

    def _step(self) -> None:
        self.optimizer.step()
        if self._weight_clip is not None:
            clip_weights(self.network, self._weight_clip)

    @torch.no_grad()
    def _step_if(self, allowed: Tensor) -> None:
        if self._weight_clip is None and getattr(self.optimizer, "_step_supports_amp_scaling", False):
            # The fused Adam leaves everything alone where `found_inf` is 1; torch's GradScaler skips steps with it.
            self.optimizer.found_inf = (~allowed).float()  # type: ignore[attr-defined]
            self.optimizer.step()
            del self.optimizer.found_inf  # type: ignore[attr-defined]
            return
        before = {key: value.clone() for key, value in self._values()}
        self._step()
        for key, value in self._values():
            old = before[key] if key in before else torch.zeros_like(value)  # the first step makes the moments: zeros
            value.copy_(torch.where(allowed, value, old))

    def _values(self) -> list[tuple[tuple[int, str], Tensor]]:
        """The weights and all that the optimiser remembers of them, each under a key of its own."""
        values: list[tuple[tuple[int, str], Tensor]] = []
        for number, parameter in enumerate(self.network.parameters()):
            values.append(((number, "weight"), parameter))
            values += [((number, name), value) for name, value in self.optimizer.state.get(parameter, {}).items()]
        return values
