"""Which fakes lie nearest to training images in feature space, and to which: pairs for people to look at.

`memorisation` has the number; a pair tells what kind of likeness it is. Neither is a proof: features forget details.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.metrics.memorisation import MOST, SEED, least

SHOWN = 8  # pairs of each kind
USUAL_OF = 256  # real images whose own distance is the measure


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """A fake, and the real images that lie nearest to it.

    Attributes:
        fake: its number among the fakes.
        training: number of the nearest training image among those with features.
        to_training: Euclidean distance of the features.
        held_out: as `training`, of the held-out images; None where there are none.
        to_held_out: the distance to it.
    """

    fake: int
    training: int
    to_training: float
    held_out: int | None = None
    to_held_out: float | None = None


@dataclass(frozen=True, kw_only=True)
class Likenesses:
    """What a picture shows.

    Attributes:
        nearest: the fakes that lie nearest to a training image, the nearest first.
        random: some of the other fakes, always the same.
        compared: fakes that were looked at.
        usual: the median distance of real images to their nearest training image: of held-out ones where there are any,
            else of training images to their nearest other; NaN where there is one image.
    """

    nearest: tuple[Likeness, ...]
    random: tuple[Likeness, ...]
    compared: int
    usual: float


def likenesses(training: Tensor, held_out: Tensor | None, fake: Tensor, *, shown: int = SHOWN) -> Likenesses:
    """Find the fakes nearest to training images, and some others to compare them with.

    Args:
        training: features [N, d].
        held_out: features [H, d]; None, or H = 0: no images are held out.
        fake: features [M, d], all finite; the first `MOST` of them are looked at.
        shown: how many of each kind; fewer where there are fewer fakes.
    """
    fake = fake[:MOST]
    held_out = None if held_out is None or len(held_out) == 0 else held_out
    distances, places = least(fake, training)
    order = distances.argsort(stable=True).tolist()
    others = torch.randperm(len(fake), generator=torch.Generator().manual_seed(SEED)).tolist()
    nearest = order[:shown]
    random = [number for number in others if number not in nearest][:shown]
    chosen = torch.tensor(nearest + random, device=fake.device)
    beside = None if held_out is None else least(fake[chosen], held_out)
    found = [
        Likeness(
            fake=number,
            training=int(places[number]),
            to_training=float(distances[number]),
            held_out=None if beside is None else int(beside[1][row]),
            to_held_out=None if beside is None else float(beside[0][row]),
        )
        for row, number in enumerate(nearest + random)
    ]
    usual = _between(training) if held_out is None else least(held_out[:USUAL_OF], training)[0]
    return Likenesses(
        nearest=tuple(found[: len(nearest)]),
        random=tuple(found[len(nearest) :]),
        compared=len(fake),
        usual=usual.median().item(),
    )


def _between(training: Tensor) -> Tensor:
    """Distances of some training images to their nearest other one."""
    every = max(1, len(training) // USUAL_OF)
    own = torch.arange(0, len(training), every, device=training.device)[:USUAL_OF]
    between = torch.cdist(training[own].double(), training.double())
    between[torch.arange(len(own), device=own.device), own] = torch.inf
    found = between.amin(dim=1)
    return torch.where(found.isfinite(), found, torch.nan)
