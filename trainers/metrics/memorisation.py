"""Whether fakes lie nearer to the training images than images that were held out do: a sign of what is learnt by heart.

After Meehan et al. 2020 (arXiv:2004.05675), who compare the same distances. It is a sign, no proof: features forget
details, and copies with changes that the features notice do not show.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

DRAWS = 200  # of halves of the held-out images
MOST = 2000  # fakes, and held-out images, that are compared
FEWEST = 20  # held-out images: half of them would be too few
_ROWS = 500  # of a block of distances: with 10,000 training images 40 MB
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Medians of a ratio: the distance to the nearest training image over that to the nearest held-out one.

    There are more training images than held-out ones, so it is below 1 for images that nobody has learnt, too: what
    counts is where it lies in the distribution of such images' medians.

    Attributes:
        ratio: of the fakes.
        null: of held-out images that are none of those they are compared with, the mean over many halves.
        null_low: the lower 5% of these.
    """

    ratio: float
    null: float
    null_low: float

    @property
    def copies(self) -> bool:
        """Whether the fakes lie nearer to the training images than 95% of such sets of held-out images do."""
        return self.ratio < self.null_low


def nearest_ratio(training: Tensor, held_out: Tensor, fake: Tensor, *, draws: int = DRAWS, seed: int = SEED) -> Nearest:
    """Compare fakes, and held-out images in their place, with all training images and half of the held-out ones.

    Each draw halves the held-out images at random: one half is what distances are measured to, the other stands for
    fakes that nobody has learnt, beside as many fakes.

    Args:
        training: features [N, d].
        held_out: features [H, d], H >= `FEWEST`; the first `MOST` of them count.
        fake: features [M, d]; the first `MOST` of them count.
        draws: how many halves.
        seed: of the draws.
    """
    held_out, fake = held_out[:MOST].double(), fake[:MOST].double()
    assert len(held_out) >= FEWEST, len(held_out)
    to_training = [least(one, training)[0] for one in (held_out, fake)]
    between, across = torch.cdist(held_out, held_out), torch.cdist(fake, held_out)
    half, random = len(held_out) // 2, torch.Generator().manual_seed(seed)
    nulls, ratios = [], []
    for _ in range(draws):
        order = torch.randperm(len(held_out), generator=random).to(held_out.device)
        one, other = order[:half], order[half:]
        chosen = torch.randperm(len(fake), generator=random)[:half].to(fake.device)
        nulls.append(_median(to_training[0][one], between[one][:, other].amin(dim=1)))
        ratios.append(_median(to_training[1][chosen], across[chosen][:, other].amin(dim=1)))
    null = torch.tensor(nulls, dtype=torch.float64)
    return Nearest(
        ratio=torch.tensor(ratios, dtype=torch.float64).mean().item(),
        null=null.mean().item(),
        null_low=null.quantile(0.05).item(),
    )


def least(rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row [N, d] the distance to its nearest of the others [M, d], float64 [N], and which that is [N]."""
    others = others.double()
    blocks = [torch.cdist(part.double(), others).min(dim=1) for part in rows.split(_ROWS)]
    return torch.cat([block.values for block in blocks]), torch.cat([block.indices for block in blocks])


def _median(near: Tensor, far: Tensor) -> float:
    return (near / far.clamp(min=torch.finfo(torch.float64).tiny)).median().item()
