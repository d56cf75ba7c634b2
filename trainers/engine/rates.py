"""Learning rates over a run."""

import torch

from trainers.config import OptimizerConfig


def rate_share(settings: OptimizerConfig, epoch: int, epochs: int) -> float:
    """Factor of the learning rate at `epoch`, from 1 to `epochs`: 1, and from ``decay_start`` on linearly towards 0."""
    if settings.decay_start is None:
        return 1.0
    flat = settings.decay_start * epochs
    return min(1.0, (epochs - (epoch - 1)) / (epochs - flat))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter."""
    for group in optimizer.param_groups:
        group["lr"] = rate
