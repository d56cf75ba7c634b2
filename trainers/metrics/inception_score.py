"""The Inception score (Salimans et al. 2016, arXiv:1606.03498)."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

SPLITS = 10
SEED = 2020


def inception_score(features: Tensor, classes: Tensor, *, splits: int = SPLITS, seed: int = SEED) -> float:
    """How surely each fake is of one class, and how many classes there are; 1 where all look alike. As torch-fidelity.

    It looks at no real image: a generator of one sharp picture per ImageNet class has a high score, whatever the data.

    Args:
        features: of the fakes, [M, d], M >= `splits`.
        classes: weights of the last layer, [classes, d]; its bias is left out, as in the paper's code.
        splits: parts, whose scores are averaged.
        seed: of numpy's `RandomState` that puts the fakes into another order first.
    """
    assert len(features) >= splits, (len(features), splits)
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(features)))
    logits = (features[order] @ classes.T).double()
    logs, shares = logits.log_softmax(dim=1), logits.softmax(dim=1)
    bounds = [number * len(features) // splits for number in range(splits + 1)]
    scores = []
    for start, stop in pairwise(bounds):
        part = shares[start:stop]
        divergence = (part * (logs[start:stop] - part.mean(dim=0, keepdim=True).log())).sum(dim=1)
        scores.append(divergence.mean().exp().item())
    return float(np.mean(scores))
