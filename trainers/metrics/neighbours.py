"""Precision and recall, density and coverage: what share of the fakes look real, and of the real images are made.

Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991); density and coverage (Naeem et al. 2020,
arXiv:2002.09797), which outliers mislead less. All count in feature space who lies within whose neighbourhood: the ball
around an image whose radius is the distance to its k-th nearest neighbour of its own set.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.metric_names import NEIGHBOURS

_ROWS = 1000  # of a block of distances; one of 10,000 columns has 80 MB


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Attributes:
    precision: share of the fakes that lie in a real image's neighbourhood; low where fakes look wrong.
    recall: share of the real images that lie in a fake's neighbourhood; low where some kinds are never made.
    density: in how many real neighbourhoods a fake lies on average, over k; may be above 1.
    coverage: share of the real images with a fake in their neighbourhood.
    k: of the neighbourhoods.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int


def neighbours(real: Tensor, fake: Tensor, k: int = NEIGHBOURS) -> Neighbours:
    """Compare two sets, as `prdc` 0.2 does. The numbers depend on the sizes of the sets: compare equal ones.

    Args:
        real: features [N, d], N > k.
        fake: features [M, d], M > k.
        k: nearest neighbours of a neighbourhood; the papers use 3 and 5.
    """
    assert min(len(real), len(fake)) > k, (len(real), len(fake), k)
    real, fake = real.double(), fake.double()
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    fakes_near = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)  # real neighbourhoods that have it
    recalled = covered = 0
    for start in range(0, len(real), _ROWS):
        distances = torch.cdist(real[start : start + _ROWS], fake)  # [rows, M]
        radii = real_radii[start : start + _ROWS, None]
        fakes_near += (distances < radii).sum(dim=0)
        recalled += int((distances < fake_radii).any(dim=1).sum())
        covered += int((distances.amin(dim=1, keepdim=True) < radii).sum())
    return Neighbours(
        precision=(fakes_near > 0).double().mean().item(),
        recall=recalled / len(real),
        density=fakes_near.double().mean().item() / k,
        coverage=covered / len(real),
        k=k,
    )


def _radii(features: Tensor, k: int) -> Tensor:
    """Distance of each image [N] to its k-th nearest other one."""
    blocks = [
        torch.cdist(features[start : start + _ROWS], features).kthvalue(k + 1, dim=1).values  # the nearest is itself
        for start in range(0, len(features), _ROWS)
    ]
    return torch.cat(blocks)
