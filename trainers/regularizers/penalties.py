"""Penalties on the gradient of D with respect to images: R1, R2 and WGAN-GP's.

The images are those before DiffAugment and instance noise, which count as a part of D. So the weights mean the same
under every augmentation: with respect to D's inputs a D of the same slope would be penalised 0.8 to 1.4 times as much.
R3GAN's trainer does this for R1 and R2 (github.com/brownvc/R3GAN), and DiffAugment's own code for R1
(github.com/mit-han-lab/data-efficient-gans). The gradient penalty mixes the images likewise, and the mix gets an
augmentation and noise of its own: WGAN-GP (arXiv:1704.00028) knows no augmentation; a mix of two images that were
augmented in different ways would be no augmented image.

They are differentiated once more when D is updated, so everything here is computed in float32 with autocast off. For
the small D of tests/trainers/regularizers the gradient of R1 + R2 is then off by 1e-7 of its norm; in bfloat16 by 4e-3.
"""

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor

from trainers.config import RegularizerConfig
from trainers.distributed import world_size
from trainers.randomness import GlobalRandom


def penalised(config: RegularizerConfig) -> bool:
    """Whether any penalty is switched on."""
    return config.gradient_penalty > 0 or config.r1_gamma > 0 or config.r2_gamma > 0


def full_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """A context without autocast, which the meta device never has."""
    if not torch.amp.is_autocast_available(device.type):
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


def penalty(
    config: RegularizerConfig,
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    real_logits: Tensor,
    fake_logits: Tensor,
    random: GlobalRandom,
) -> Tensor:
    """Weighted sum of the penalties that are switched on, times ``penalty_every``: what a step with penalties adds.

    Args:
        config: weights; a penalty of weight 0 is not computed.
        discriminate: images ``[B, 3, S, S]`` to logits ``[B, 1]``, with new augmentation and noise where D's inputs
            have any; only the gradient penalty runs it once more.
        real: the real images before augmentation and noise, float32 ``[B, 3, S, S]``, that gave `real_logits` with
            autocast off; they require a gradient where R1 is on.
        fake: likewise, for R2.
        real_logits: ``[B, 1]`` (``[B, 1, h, w]``: the mean of an image's patches counts).
        fake_logits: likewise.
        random: places the gradient penalty's images between real and fake.

    Returns:
        Scalar, this rank's share.
    """
    total = torch.zeros((), device=real.device)
    with full_precision(real.device):
        if config.r1_gamma:
            total = total + zero_centred(real_logits, real, config.r1_gamma)
        if config.r2_gamma:
            total = total + zero_centred(fake_logits, fake, config.r2_gamma)
        if config.gradient_penalty:
            mix = random.uniform(len(real) * world_size(), 1, 1, 1)
            total = total + config.gradient_penalty * gradient_penalty(discriminate, real, fake, mix)
    return total * config.penalty_every


def zero_centred(logits: Tensor, images: Tensor, gamma: float) -> Tensor:
    """gamma/2 times the mean squared gradient: R1 at real images, R2 at fakes (Mescheder 2018, arXiv:1801.04406).

    R3GAN (arXiv:2501.05441) uses both.
    """
    return gamma / 2 * squared_gradients(logits, images).mean()


def gradient_penalty(discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Mean (norm of the gradient - 1)^2 at ``real * mix + fake * (1 - mix)`` (Gulrajani 2017, arXiv:1704.00028).

    Args:
        discriminate: images ``[B, C, H, W]`` to logits ``[B, ...]``.
        real: float32 ``[B, C, H, W]``.
        fake: float32 ``[B, C, H, W]``.
        mix: ``[B, 1, 1, 1]`` uniform in [0, 1).
    """
    between = (real * mix + fake * (1 - mix)).detach().requires_grad_()
    # vector_norm's derivative at 0 is 0, where that of a square root is infinite.
    norms = torch.linalg.vector_norm(_gradients(discriminate(between), between), dim=1)
    return (norms - 1).square().mean()


def squared_gradients(logits: Tensor, images: Tensor) -> Tensor:
    """Squared norm of the gradient of each image's logit, ``[B]``, differentiable.

    Args:
        logits: ``[B, ...]``; where an image has several, their mean counts.
        images: ``[B, ...]`` that gave `logits`, not in half precision.
    """
    return _gradients(logits, images).square().sum(1)


def _gradients(logits: Tensor, images: Tensor) -> Tensor:
    """``[B, C * H * W]``. BatchNorm makes a logit depend on the other images too; then this is the sum's gradient."""
    assert images.dtype.itemsize >= 4, f"penalties need float32, not {images.dtype}"
    (gradients,) = torch.autograd.grad(logits.flatten(1).mean(1).sum(), images, create_graph=True)
    return gradients.flatten(1)
