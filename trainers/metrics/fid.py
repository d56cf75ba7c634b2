"""FID of a generator: sample, quantise, extract, compare."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainers.data.augment import to_uint8
from trainers.distributed import all_reduce_sum, broadcast_object, rank, world_size
from trainers.metric_names import HELD_OUT
from trainers.metrics.beside import Beside, KeptFeatures, held_out_suffix, measure_beside, measure_nearest
from trainers.metrics.extractor import Extractor
from trainers.metrics.frechet import RealStatistics, frechet_distance
from trainers.metrics.moments import Moments
from trainers.pulse import beat


@dataclass(frozen=True, kw_only=True)
class FidResult:
    """One measurement.

    Attributes:
        value: the Frechet distance; NaN when a sample was not finite.
        diversity: trace of the fakes' feature covariance over that of the real images: 1 where they vary as much, 0
            where all fakes are one image; NaN when a sample was not finite or the real images do not vary.
        name: its protocol, such as ``fid_inception2048_n10000``.
        n_real: real images.
        n_fake: generated images, over all ranks.
        seconds: wall time on this rank.
        beside: what else was measured, by protocol.
    """

    value: float
    diversity: float
    name: str
    n_real: int
    n_fake: int
    seconds: float
    beside: dict[str, float] = field(default_factory=dict)


def protocol_name(protocol: str, n_fake: int, held_out: float = 0.0) -> str:
    """Name of the metric: ``fid_inception2048_n10000``. Values under different names must not be compared.

    Args:
        protocol: of the extractor.
        n_fake: generated images; few of them inflate FID.
        held_out: share of the real images that are left out.
    """
    return f"fid_{protocol}_n{n_fake}{held_out_suffix(held_out)}"


def diversity(real: RealStatistics, fake: Moments) -> float:
    """How much the fakes vary against the real images: ratio of the total variances; NaN where that of the real is 0.

    Unlike FID it does not measure quality, and few samples do not bias it.
    """
    return fake.trace / real.trace if real.trace > 0 else math.nan


def measure_fid(
    real: RealStatistics,
    sample: Callable[[int, int], Tensor],
    *,
    n_fake: int,
    extractor: Extractor,
    batch_size: int,
    device: torch.device | str,
    beside: Beside | None = None,
    share: float = 0.0,
) -> FidResult:
    """FID of `n_fake` samples, shared over the ranks; every rank must call this and gets the same value.

    Args:
        real: statistics of the real images, from the same extractor.
        sample: ``sample(start, stop)`` returns samples start..stop-1 of the `n_fake`, float [stop - start, 3, S, S] in
            [-1, 1]. A sample must depend on its index only, not on the rank or the batch that it is in.
        n_fake: samples over all ranks, at least 2; need not be a multiple of the ranks.
        extractor: on `device`.
        batch_size: samples per call; changes speed only.
        device: where the extractor and the sums run.
        beside: what else to measure on the same features; None: nothing.
        share: of the images that are held out, so that they are not in `real`.

    Returns:
        The result. Its value is NaN when any sample or feature is not finite; the caller decides what follows.
    """
    assert n_fake > 1, n_fake
    started = time.perf_counter()
    first, last = (n_fake * r // world_size() for r in (rank(), rank() + 1))
    moments = Moments(extractor.dim, device)
    kept = None if beside is None or beside.real is None else KeptFeatures(first, n_fake)
    # Added up on the device and read once: reading it after each batch would make the CPU wait for the GPU.
    nonfinite = torch.zeros((), dtype=torch.int64, device=device)
    for start in range(first, last, batch_size):
        with torch.no_grad():
            fakes = sample(start, min(start + batch_size, last)).to(device)
        features = extractor(to_uint8(fakes))
        nonfinite += (~fakes.isfinite()).sum() + (~features.isfinite()).sum()
        moments.update(features)
        if kept is not None:
            kept.add(features)
        beat("FID", start - first + len(fakes), last - first)
    fake = moments.all_reduce()
    fakes_kept = None if kept is None else kept.gathered(extractor.dim, device)
    value = spread = math.nan
    more: dict[str, float] = {}
    if all_reduce_sum(nonfinite).item() == 0 and rank() == 0:
        value, spread = frechet_distance(real, fake), diversity(real, fake)
        suffix = held_out_suffix(share)
        if beside is not None and beside.held_out is not None:
            name = f"{HELD_OUT}_{extractor.protocol}_n{n_fake}{suffix}"
            more[name] = frechet_distance(beside.held_out, fake)
        if beside is not None and beside.real is not None and fakes_kept is not None:
            more |= measure_beside(beside.names, beside.real, fakes_kept, extractor, suffix, beside.k)
            more |= measure_nearest(beside, fakes_kept, extractor.protocol, suffix)
            if beside.look is not None:
                beside.look(fakes_kept)
    value, spread, more = broadcast_object((value, spread, more))
    return FidResult(
        value=value,
        diversity=spread,
        name=protocol_name(extractor.protocol, n_fake, share),
        n_real=real.n,
        n_fake=n_fake,
        seconds=time.perf_counter() - started,
        beside=more,
    )
