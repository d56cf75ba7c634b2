"""A small R3GAN pair: residual, no normalisation; made for loss rsgan with R1 and R2 penalties.

Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441. Smaller than theirs:
one block per resolution and narrower. Like theirs it has biases inside its blocks only: a bias at D's end would cancel
in a relativistic loss.
"""

from itertools import pairwise
from math import gcd, log2

import torch
from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.networks.sizes import require_power_of_two

CAP = 8  # largest width, as a multiple of base_width
EXPANSION = 2  # inner channels of a block, as a multiple of its outer ones
# Channels that a 3 x 3 convolution sees, where the width allows. Images per CPU second of a step of G and D without
# penalties (one thread of an EPYC, 32 px, base width 24, batch 16, channels last, best of 8): 155 with 1 channel, 108
# with 8, 99 with 16, 75 with 24.
GROUP_SIZE = 8
SLOPE = 0.2
BRANCH_GAIN = 0.1


def build(config: NetworkConfig, image_size: int, inputs: int, outputs: int) -> tuple["Generator", "Discriminator"]:
    """The pair for ``[B, inputs]`` latents and ``[B, outputs]`` logits.

    Raises:
        UserError: `image_size` is no power of two, or below 8.
    """
    require_power_of_two("r3gan_small", image_size, least=8)
    levels = int(log2(image_size // 4)) + 1
    widths = [config.base_width * min(2**level, CAP) for level in range(levels)]  # 128 px, 32: 32 64 128 256 256 256
    generator = Generator(widths=widths[::-1], inputs=inputs)
    return generator, Discriminator(image_size=image_size, widths=widths, outputs=outputs)


class Generator(nn.Module):
    """Latent ``[B, inputs]`` to image ``[B, 3, S, S]`` in [-1, 1]: 4 x 4 maps weighted by z, then blocks.

    Args:
        widths: channels at 4, 8, ... S pixels.
        inputs: length of z.
    """

    def __init__(self, *, widths: list[int], inputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.weigh = _initialised(nn.Linear(inputs, widths[0], bias=False))
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        layers: list[nn.Module] = [Block(widths[0], depth=len(widths))]
        for wide, narrow in pairwise(widths):  # [B, wide, s, s] -> [B, narrow, 2s, 2s]
            layers += [*_to_width(wide, narrow), nn.Upsample(scale_factor=2, mode="bilinear")]
            layers.append(Block(narrow, depth=len(widths)))
        self.model = nn.Sequential(*layers, _initialised(nn.Conv2d(widths[-1], 3, 1, bias=False)), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """``[B, inputs]`` -> ``[B, 3, S, S]``."""
        assert z.ndim == 2 and z.shape[1] == self.inputs, f"latents {tuple(z.shape)}"
        return self.model(self.weigh(z)[:, :, None, None] * self.basis)


class Discriminator(nn.Module):
    """Image ``[B, 3, S, S]`` to logits ``[B, outputs]``: blocks, then each 4 x 4 map to one number; no sigmoid.

    Args:
        image_size: S, a power of two from 8 on, pixels.
        widths: channels at S, ... 8, 4 pixels.
        outputs: logits per image.
    """

    def __init__(self, *, image_size: int, widths: list[int], outputs: int) -> None:
        super().__init__()
        self.image_size = image_size
        layers: list[nn.Module] = [
            _initialised(nn.Conv2d(3, widths[0], 1, bias=False)),
            Block(widths[0], depth=len(widths)),
        ]
        for narrow, wide in pairwise(widths):  # [B, narrow, 2s, 2s] -> [B, wide, s, s]
            halve = nn.AvgPool2d(2)  # the same as bilinear interpolation to half the size
            layers += [halve, *_to_width(narrow, wide), Block(wide, depth=len(widths))]
        last = widths[-1]
        end = _initialised(nn.Conv2d(last, last, 4, groups=last, bias=False))  # [B, last, 4, 4] -> [B, last, 1, 1]
        self.model = nn.Sequential(*layers, end, nn.Flatten(), _initialised(nn.Linear(last, outputs, bias=False)))

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, outputs]``."""
        assert images.shape[1:] == (3, self.image_size, self.image_size), f"images {tuple(images.shape)}"
        return self.model(images)


class Block(nn.Module):
    """Residual block, wide inside: 1 x 1, grouped 3 x 3, 1 x 1 convolutions.

    Its weights are initialised by Fixup's rule (arXiv:1901.09321), except in the last convolution: 0 there would leave
    the other two without a gradient at the first step, so it starts at a tenth of the usual standard deviation.

    Args:
        channels: of input and output.
        depth: blocks in the network.
    """

    def __init__(self, channels: int, *, depth: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        # Fixup with three layers: depth^(-1 / (2 * 3 - 2))
        gain = nn.init.calculate_gain("leaky_relu", SLOPE) * depth**-0.25
        groups = inner // gcd(inner, GROUP_SIZE)
        self.model = nn.Sequential(
            _initialised(nn.Conv2d(channels, inner, 1), gain),
            nn.LeakyReLU(SLOPE, inplace=True),
            _initialised(nn.Conv2d(inner, inner, 3, 1, 1, groups=groups), gain),
            nn.LeakyReLU(SLOPE, inplace=True),
            _initialised(nn.Conv2d(inner, channels, 1, bias=False), BRANCH_GAIN),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` -> ``[B, C, H, W]``."""
        return x + self.model(x)


def _to_width(before: int, after: int) -> list[nn.Module]:
    return [] if before == after else [_initialised(nn.Conv2d(before, after, 1, bias=False))]


def _initialised(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Weights N(0, gain^2 / inputs of a unit), bias 0: outputs vary `gain` times as much as inputs."""
    nn.init.normal_(layer.weight, 0, gain * layer.weight[0].numel() ** -0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
