"""When FID is measured, on how many fakes, and how the results of several targets become one measurement.

Few fakes inflate FID, by an amount that also depends on the generator (Chong and Forsyth 2020, arXiv:1911.07023), and
make it noisier. Early trials differ so much that such values still tell them apart, so measurements before the window
may use fewer fakes: the same number for all trials at an epoch. Inside the window the number is always `n_fake`.
"""

import math

from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.families import FidTarget
from trainers.metrics import FidResult, measure_fid
from trainers.run_report import Measurement, hardly_vary


def fid_due(epoch: int, config: TrainConfig) -> bool:
    """Whether FID is measured at `epoch`: every ``fid.every`` epochs, and at both ends of the window."""
    ends = (config.schedule.window_first, config.schedule.epochs)
    return epoch % config.fid.every == 0 or epoch in ends


def fakes_at(epoch: int, config: TrainConfig) -> int:
    """Number of fakes of a measurement at `epoch`.

    It is ``fid.n_fake_first`` at first, doubles at equal distances before the window, and is ``fid.n_fake`` inside it:
    from 1000 to 10,000 it is 1000, 2000, 4000 and 8000 over 30, 30, 30 and 10% of the epochs before the window. It
    depends only on the epoch, the window's start and ``fid.*``, in which no two trials of a sweep may differ: at the
    same epoch all trials have the same protocol.
    """
    first, full = config.fid.n_fake_first, config.fid.n_fake
    if first is None or epoch >= config.schedule.window_first:
        return full
    doublings = math.log2(full / first) * epoch / config.schedule.window_first
    return first << math.floor(doublings)


def measure(
    config: TrainConfig, targets: dict[str, FidTarget], assets: Assets, n_fake: int, *, epoch: int
) -> Measurement:
    """Measure FID of every target. Every rank must call this; the values are equal on all ranks, except the time.

    Args:
        config: the run.
        targets: as `Family.fid_targets` gives them.
        assets: the extractor.
        n_fake: samples of each target, over all ranks.
        epoch: the one that the generator has finished; recorded in the result.
    """
    results = {
        name: measure_fid(
            target.statistics,
            sample=target.sample,
            n_fake=n_fake,
            extractor=assets.extractor(config),
            batch_size=config.fid.batch_size,
            device=assets.device,
        )
        for name, target in targets.items()
    }
    return combine(results, n_fake, epoch, config.fid.min_diversity)


def combine(results: dict[str, FidResult], n_fake: int, epoch: int, min_diversity: float) -> Measurement:
    """One measurement from the results of all targets: the mean FID and the lowest diversity."""
    first, *_ = results.values()
    lowest = min(result.diversity for result in results.values())
    diversity = lowest if math.isfinite(lowest) else None  # NaN: the real images do not vary
    per_target: dict[str, float] = {}
    if len(results) > 1:
        for name, result in results.items():
            per_target[f"{result.name}_{name}"] = result.value
            if math.isfinite(result.diversity):
                per_target[f"diversity_{name}"] = result.diversity
    return Measurement(
        epoch=epoch,
        fid=sum(result.value for result in results.values()) / len(results),
        name=first.name,
        n_fake=n_fake,
        diversity=diversity,
        collapsed=hardly_vary(diversity, min_diversity),
        seconds=sum(result.seconds for result in results.values()),
        per_target=per_target,
    )
