"""Learning rates over a run."""

import torch

from trainers.config import OptimizerConfig


def rate_share(settings: OptimizerConfig, epoch: int, epochs: int) -> float:
    """What share of its learning rate `epoch`, from 1 to `epochs`, has: 1, then down to 0 from ``decay_start`` on."""
    if settings.decay_start is None:
        return 1.0
    flat = settings.decay_start * epochs
    return min(1.0, (epochs - (epoch - 1)) / (epochs - flat))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let every parameter have learning rate `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate
