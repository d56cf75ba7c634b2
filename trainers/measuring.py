"""Measures FID, and makes one measurement of the results of several targets; when that is, is in `fid_schedule`."""

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor

from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.families import FidTarget
from trainers.metric_names import FID
from trainers.metrics import Beside, FidResult, measure_fid
from trainers.run_report import Measurement, hardly_vary

Look = Callable[[str, Tensor], None]


def measure(
    config: TrainConfig,
    targets: dict[str, FidTarget],
    assets: Assets,
    n_fake: int,
    *,
    epoch: int,
    look: Look | None = None,
) -> Measurement:
    """Measure FID of every target. Every rank must call this; the values are equal on all ranks, except the time.

    Args:
        config: the run.
        targets: as `Family.fid_targets` gives them.
        assets: the extractor.
        n_fake: samples of each target, over all ranks.
        epoch: the one that the generator has finished; recorded in the result.
        look: called on rank 0 with a target's name and its fakes' features, see `Beside`.
    """
    in_window = epoch >= config.schedule.window_first
    results = {
        name: measure_fid(
            target.statistics,
            sample=target.sample,
            n_fake=n_fake,
            extractor=assets.extractor(config),
            batch_size=config.fid.batch_size,
            device=assets.device,
            beside=Beside(
                names=config.fid.metrics,
                k=config.fid.neighbours,
                real=target.features,
                held_out=target.held_out if in_window else None,
                held_out_features=target.held_out_features if in_window else None,
                look=None if look is None else partial(look, name),
            ),
            share=config.data.heldout,
        )
        for name, target in targets.items()
    }
    return combine(results, n_fake, epoch, config.fid.min_diversity, config.fid.objective)


def combine(
    results: dict[str, FidResult], n_fake: int, epoch: int, min_diversity: float, objective: str = FID
) -> Measurement:
    """One measurement from the results of all targets: the mean FID, as of all else, and the lowest diversity."""
    first, *_ = results.values()
    lowest = min(result.diversity for result in results.values())
    diversity = lowest if math.isfinite(lowest) else None  # NaN: the real images do not vary
    per_target: dict[str, float] = {}
    if len(results) > 1:
        for name, result in results.items():
            per_target[f"{result.name}_{name}"] = result.value
            per_target |= {f"{metric}_{name}": value for metric, value in result.beside.items()}
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
        objective=objective,
        beside={
            metric: sum(result.beside[metric] for result in results.values()) / len(results)
            for metric in first.beside
            if all(metric in result.beside for result in results.values())
        },
    )
