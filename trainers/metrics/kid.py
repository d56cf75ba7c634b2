"""Kernel Inception distance (Binkowski et al. 2018, arXiv:1801.01401)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
# Images of both sets whose kernel is computed once, 128 MB (384 while it is), instead of anew for each subset.
AT_ONCE = 4000


@dataclass(frozen=True, kw_only=True)
class Kid:
    """KID over random subsets. It is unbiased: it may be below 0, and few images make it noisier, not larger.

    Attributes:
        mean, deviation: over the subsets.
        subset_size: images of each set in a subset; 1000, or half of the smaller set where it has fewer.
    """

    mean: float
    deviation: float
    subset_size: int


def kid(real: Tensor, fake: Tensor, *, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE, seed: int = SEED) -> Kid:
    """Squared maximum mean discrepancy with the kernel ``(x · y / d + 1) ** 3``, over random subsets of both sets.

    Defaults, subsets and random numbers are those of torch-fidelity 0.4.

    Args:
        real: features [N, d].
        fake: features [M, d].
        subsets: how many.
        subset_size: images of each set in a subset; half of the smaller set where it has fewer.
        seed: of numpy's `RandomState` that draws the subsets.
    """
    least = min(len(real), len(fake))
    size = subset_size if subset_size <= least else max(2, least // 2)
    draw = np.random.RandomState(seed)
    both = torch.cat([real, fake.to(real.device)]).double() if len(real) + len(fake) <= AT_ONCE else None
    kernel = None if both is None else _kernel(both, both)
    values = []
    for _ in range(subsets):
        chosen = [torch.from_numpy(draw.choice(len(features), size, replace=False)) for features in (real, fake)]
        if kernel is not None:
            x, y = chosen[0], chosen[1] + len(real)
            values.append(_estimate(kernel[x][:, x], kernel[y][:, y], kernel[x][:, y]))
        else:
            one, other = real[chosen[0]].double(), fake[chosen[1]].double()
            values.append(_estimate(_kernel(one, one), _kernel(other, other), _kernel(one, other)))
    return Kid(mean=float(np.mean(values)), deviation=float(np.std(values)), subset_size=size)


def _estimate(within_x: Tensor, within_y: Tensor, between: Tensor) -> float:
    """The unbiased estimate from the kernels [m, m] of two sets of equal size: no image is compared with itself."""
    m = len(between)
    within = sum((kernel.sum() - kernel.diagonal().sum()).item() for kernel in (within_x, within_y))
    return within / (m * (m - 1)) - 2 * between.mean().item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base
