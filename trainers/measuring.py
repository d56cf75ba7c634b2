"""When FID is measured, on how many fakes, and what is said of it.

Few fakes inflate FID, by an amount that depends on the generator too (Chong and Forsyth 2020, arXiv:1911.07023), and
make it noisier. That is enough to tell trials apart that differ much, which early ones do; so measurements before the
window may use fewer fakes, the same number for all trials at the same epoch. Inside the window it is always `n_fake`.
"""

import math

from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.families import FidTarget
from trainers.metrics import FidResult, measure_fid
from trainers.run_report import Measurement


def fid_due(epoch: int, config: TrainConfig) -> bool:
    """Whether FID is measured at `epoch`: every so many, and at both ends of the window."""
    ends = (config.schedule.window_first, config.schedule.epochs)
    return epoch % config.fid.every == 0 or epoch in ends


def fakes_at(epoch: int, config: TrainConfig) -> int:
    """Fakes of a measurement at `epoch`.

    ``fid.n_fake_first`` at first, doubled at equal distances on the way to the window, ``fid.n_fake`` inside it: 1000,
    2000, 4000 and 8000 over the first, second, third and last 30, 30, 30 and 10% of the epochs before a window of
    10,000. It depends on the epoch, the window's start and ``fid.*`` alone, which no two trials of a sweep may differ
    in: at the same epoch all have the same protocol.
    """
    first, full = config.fid.n_fake_first, config.fid.n_fake
    if first is None or epoch >= config.schedule.window_first:
        return full
    doublings = math.log2(full / first) * epoch / config.schedule.window_first
    return first << math.floor(doublings)


def measure(
    config: TrainConfig, targets: dict[str, FidTarget], assets: Assets, n_fake: int, *, epoch: int
) -> Measurement:
    """Measure FID of every target; all ranks must call this and get the same values, but for the time.

    Args:
        config: the run.
        targets: as `Family.fid_targets` gives them.
        assets: the extractor.
        n_fake: samples of each target, over all ranks.
        epoch: of the generator.
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
    return combine(results, n_fake, epoch)


def combine(results: dict[str, FidResult], n_fake: int, epoch: int) -> Measurement:
    """One measurement from each target's own result."""
    first, *_ = results.values()
    diversity = min(result.diversity for result in results.values())
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
        diversity=diversity if math.isfinite(diversity) else None,  # a real set that does not vary has none: no failure
        seconds=sum(result.seconds for result in results.values()),
        per_target=per_target,
    )
