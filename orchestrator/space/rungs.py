"""At which epochs a scheduler compares trials."""

import math

from orchestrator.space.sections import HALVING, PBT, SchedulerConfig


def rungs(first: float, factor: float, longest: int) -> list[int]:
    """Epochs of rungs: `first`, then each `factor` times as far, all before the last of `longest` epochs."""
    found, epoch = [], float(min(first, longest))
    while epoch < longest:
        found.append(math.ceil(epoch))
        epoch *= factor
    return [epoch for epoch in dict.fromkeys(found) if epoch < longest]


def graces(config: SchedulerConfig, longest: int) -> list[float]:
    """Epochs until the first rung of each bracket of Hyperband: each `SchedulerConfig.farther` times those before it.

    Only brackets whose first rung is inside a run of `longest` epochs are made, at most ``config.brackets``, and one.
    """
    found = [float(min(config.grace_epochs, longest))]
    while len(found) < config.brackets and found[-1] * config.farther <= longest + 1e-9:
        found.append(found[-1] * config.farther)
    return found


def all_rungs(config: SchedulerConfig, longest: int) -> list[int]:
    """Every epoch at which trials of `longest` epochs are compared at rungs; none for schedulers without rungs."""
    if config.name == PBT:
        return list(range(config.apart, longest, config.apart))
    if config.name not in HALVING:
        return []
    firsts = graces(config, longest) if config.name.startswith("hyperband") else [float(config.grace_epochs)]
    return sorted({rung for first in firsts for rung in rungs(math.ceil(first), config.farther, longest)})


def mean_epochs(config: SchedulerConfig, longest: int) -> float:
    """Epochs that a trial of `longest` runs on average: at each rung of successive halving one in so many goes on."""
    if config.name not in HALVING:
        return float(longest)
    rung, share, mean = 0.0, 1.0, 0.0
    following = float(config.grace_epochs)
    while rung < longest:
        mean += share * (min(following, longest) - rung)
        rung, following = following, following * config.farther
        share /= config.reduction_factor
    return mean
