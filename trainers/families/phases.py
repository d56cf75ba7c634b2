"""The three phases of an update, and what each hands to the next.

*Decide*, before any tensor work: what is updated, from the regime, the iteration and the configuration. *Compute*:
forward and backward without reading a value from the device, so that a CUDA graph can hold them later. *Apply*: average
the gradients over the ranks, clip them and step the optimiser, or drop them where the regime refuses the update.
"""

from dataclasses import dataclass, field

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
