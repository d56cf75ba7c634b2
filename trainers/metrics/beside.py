"""What is measured beside FID, from the same features: KID, precision and recall, density and coverage, IS."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.distributed import all_reduce_sum
from trainers.metric_names import INCEPTION_SCORE, KID, KID_DEVIATION, NEAREST, NEIGHBOURS, PRDC, VALUES
from trainers.metrics.extractor import Extractor, without_tf32
from trainers.metrics.frechet import RealStatistics
from trainers.metrics.inception_score import SPLITS, inception_score
from trainers.metrics.kid import kid
from trainers.metrics.memorisation import FEWEST, MOST, nearest_ratio
from trainers.metrics.neighbours import neighbours

# Features kept of the real images, and of the fakes: 82 MB each with Inception's 2048 numbers (51 MB with 1280), as
# float32; while neighbours are counted twice that, and some 0.3 GB of distances. Distances grow with its square.
KEPT = 10_000


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What to measure beside FID.

    Attributes:
        names: of `trainers.metric_names.VALUES`.
        k: nearest neighbours that make a neighbourhood.
        real: features of the real images, float32 [N, d], N at most `KEPT`; None: there is nothing to measure on them.
        held_out: statistics of the images that no training sees; None: there are none.
        held_out_features: features of these, as `real`; None: there is nothing to measure on them.
        look: called on rank 0 with the features [M, d] of the fakes that were kept, where all are finite and `real` is
            there; None: nobody looks.
    """

    names: tuple[str, ...] = ()
    k: int = NEIGHBOURS
    real: Tensor | None = None
    held_out: RealStatistics | None = None
    held_out_features: Tensor | None = None
    look: Callable[[Tensor], None] | None = None


def held_out_suffix(share: float) -> str:
    """What a name says of real images without a held-out share: ``_h10`` without 10%, nothing without any."""
    return f"_h{100 * share:g}" if share else ""


def measure_nearest(beside: Beside, fake: Tensor, protocol: str, suffix: str) -> dict[str, float]:
    """What `trainers.metrics.memorisation` finds, by name; nothing where too few images are held out.

    Args:
        beside: features of the real images on both sides.
        fake: features [M, d], all finite.
        protocol: of the extractor.
        suffix: of the names.
    """
    training, held_out = beside.real, beside.held_out_features
    if training is None or held_out is None or len(held_out) < FEWEST:
        return {}
    found = nearest_ratio(training.to(fake.device), held_out.to(fake.device), fake)
    of = f"{protocol}_n{min(len(fake), MOST)}{suffix}"
    values = (found.ratio, found.null, found.null_low)
    return {f"{name}_{of}": value for name, value in zip(NEAREST, values, strict=True)}


class KeptFeatures:
    """Keeps the features of the first `KEPT` fakes while FID adds all of them up.

    Args:
        first: index of this rank's first fake.
        n_fake: fakes of all ranks.
    """

    def __init__(self, first: int, n_fake: int) -> None:
        self._first, self._total = first, min(KEPT, n_fake)
        self._parts: list[Tensor] = []
        self._have = 0

    def add(self, features: Tensor) -> None:
        """The next features [B, d] of this rank; those beyond the first `KEPT` of all ranks are left out."""
        room = self._total - self._first - self._have
        if room > 0:
            self._parts.append(features[:room])
            self._have += len(self._parts[-1])

    def gathered(self, dim: int, device: torch.device | str) -> Tensor:
        """Those of all ranks, float32 [n, d] in the order of the fakes; every rank must call this."""
        rows = torch.zeros(self._total, dim, device=device)
        if self._parts:
            rows[self._first : self._first + self._have] = torch.cat(self._parts)
        return all_reduce_sum(rows)


def beside_name(value: str, protocol: str, n_fake: int, held_out: float = 0.0, k: int = NEIGHBOURS) -> str:
    """Full name of a value: ``recall_inception2048_n1000_k5``. Values under different names must not be compared.

    Args:
        value: its short name.
        protocol: of the extractor.
        n_fake: generated images, of which `KEPT` are compared at most.
        held_out: share of the real images that are left out.
        k: nearest neighbours that make a neighbourhood.
    """
    neighbourhood = f"_k{k}" if value in VALUES[PRDC] else ""
    return f"{value}_{protocol}_n{min(KEPT, n_fake)}{held_out_suffix(held_out)}{neighbourhood}"


def measure_beside(
    names: Collection[str], real: Tensor, fake: Tensor, extractor: Extractor, suffix: str = "", k: int = NEIGHBOURS
) -> dict[str, float]:
    """Every value of `names` under its protocol, such as ``recall_inception2048_n1000_k5``.

    ``n`` counts the fakes that are compared: all, or `KEPT`. What so few images cannot have is left out: neighbours of
    no more than `k`, a score of fewer than 10, and a score of an extractor without classes.

    Args:
        names: of `trainers.metric_names.VALUES`.
        real: features [N, d].
        fake: features [M, d], all finite.
        extractor: that they come from.
        suffix: of the names; see `held_out_suffix`.
        k: nearest neighbours that make a neighbourhood.
    """
    real = real.to(fake.device)
    of = f"{extractor.protocol}_n{len(fake)}{suffix}"
    found: dict[str, float] = {}
    with without_tf32():
        if KID in names:
            subsets = kid(real, fake)
            found |= {f"{KID}_{of}": subsets.mean, f"{KID_DEVIATION}_{of}": subsets.deviation}
        if PRDC in names and min(len(real), len(fake)) > k:
            shares = neighbours(real, fake, k)
            found |= {f"{value}_{of}_k{k}": getattr(shares, value) for value in VALUES[PRDC]}
        if INCEPTION_SCORE in names and extractor.classes is not None and len(fake) >= SPLITS:
            found[f"inception_score_{of}"] = inception_score(fake, extractor.classes)
    return found
