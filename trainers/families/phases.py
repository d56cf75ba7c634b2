"""The three phases of an update, and what each hands to the next.

*Decide*, before any tensor work: what is updated, from the regime, the iteration and the configuration. *Compute*:
forward and backward without reading a value from the device, so that a CUDA graph can hold them later. *Apply*: average
the gradients over the ranks, clip them and step the optimiser, or drop them where the regime refuses the update. A
regime that looks at the loss decides on the device; there a refused step leaves the weights as they are.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

Metrics = dict[str, Tensor | float]


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """What a step will do.

    Attributes:
        d: whether D's gradients are computed; the regime may still refuse to apply them.
        g_steps: how many times G is updated.
        swapped: whether D is told that real images are fakes and fakes are real.
        penalise: whether the penalties on D's gradient are due.
        sigma: standard deviation of the instance noise on real images.
        fake_sigma: of that on fakes.
    """

    d: bool
    g_steps: int
    swapped: bool
    penalise: bool
    sigma: float
    fake_sigma: float


@dataclass(frozen=True, kw_only=True)
class Computed:
    """What a compute phase returns, everything detached. The gradients themselves stay on the network.

    Attributes:
        loss: scalar that the regime looks at, this rank's share.
        metrics: scalars.
        if_applied: scalars that count only where the gradients are applied.
        kept: tensors that a later phase of the step needs.
    """

    loss: Tensor
    metrics: Metrics
    if_applied: Metrics = field(default_factory=dict)
    kept: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What became of D's update.

    Attributes:
        norm: of its gradients, before any clipping.
        allowed: bool scalar on the device: whether the weights changed. None: they did.
    """

    norm: Tensor
    allowed: Tensor | None = None

    def metrics(self, computed: Computed) -> Metrics:
        """Those of D's step. What counts only where D was updated is 0 elsewhere, as `trainers.averages` wants it."""
        values = {**computed.if_applied, "grad_norm_d": self.norm}
        if self.allowed is None:
            return {**computed.metrics, **values, "d_updates": 1.0}
        masked = {name: torch.where(self.allowed, value, 0.0) for name, value in values.items()}
        return {**computed.metrics, **masked, "d_updates": self.allowed.float()}
