"""Moving average of a generator's weights (Karras et al. 2018, arXiv:1710.10196; ramp-up of StyleGAN2-ADA)."""

import math
from copy import deepcopy

import torch
from torch import nn

from trainers.config import RegimeConfig


def averaged_copy(network: nn.Module) -> nn.Module:
    """A copy in eval mode whose parameters need no gradients."""
    return deepcopy(network).eval().requires_grad_(False)


def follow(
    average: nn.Module,
    network: nn.Module,
    settings: RegimeConfig,
    images_seen: int,
    batch_size: int,
    *,
    rampup: bool = True,
) -> None:
    """Update `average` after an update of `network`, at the half-life of `settings`.

    Args:
        average: from `averaged_copy`.
        network: what it follows.
        settings: half-life, which must not be None, and ramp-up.
        images_seen: real images over all ranks, this step's included.
        batch_size: real images of this step, over all ranks.
        rampup: whether the half-life grows with the images seen. An average that is worth keeping from the first step
            on has none, as in StyleGAN2-ADA's runs from another's weights.
    """
    assert settings.ema_halflife_images is not None
    share = settings.ema_rampup if rampup else math.inf
    update_ema(average, network, ema_decay(settings.ema_halflife_images, share, images_seen, batch_size))


def ema_decay(halflife_images: float, rampup: float, images_seen: int, batch_size: int) -> float:
    """Decay per step: a weight's influence halves every ``min(halflife_images, rampup * images_seen)`` images."""
    halflife = min(halflife_images, rampup * images_seen)
    return 0.5 ** (batch_size / max(halflife, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, decay: float) -> None:
    """average = decay * average + (1 - decay) * model, for parameters and BatchNorm statistics alike.

    Averaged statistics fit the averaged weights; G's own would not.
    """
    means, values = list(average.state_dict().values()), list(model.state_dict().values())
    floats = [pair for pair in zip(means, values, strict=True) if pair[0].is_floating_point()]
    torch._foreach_lerp_([mean for mean, _ in floats], [value for _, value in floats], 1 - decay)
    for mean, value in zip(means, values, strict=True):
        if not mean.is_floating_point():
            mean.copy_(value)
