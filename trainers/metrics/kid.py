"""Kernel Inception distance (Binkowski et al. 2018, arXiv:1801.01401)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020


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
    values = []
    for _ in range(subsets):
        chosen = [
            features[torch.from_numpy(draw.choice(len(features), size, replace=False))] for features in (real, fake)
        ]
        values.append(_discrepancy(*(features.double() for features in chosen)))
    return Kid(mean=float(np.mean(values)), deviation=float(np.std(values)), subset_size=size)


def _discrepancy(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate for two sets of equal size m [m, d]: no image is compared with itself."""
    m = len(x)
    within = sum((_kernel(one, one).sum() - _kernel_with_itself(one).sum()).item() for one in (x, y))
    return within / (m * (m - 1)) - 2 * _kernel(x, y).mean().item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base


def _kernel_with_itself(x: Tensor) -> Tensor:
    return ((x * x).sum(dim=1) / x.shape[1] + 1) ** 3
