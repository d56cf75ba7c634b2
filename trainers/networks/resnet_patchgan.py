"""The pair of CycleGAN (Zhu et al. 2017, arXiv:1703.10593), as in the MLDS HW4 report's bonus.

The report used github.com/xhujoy/CycleGAN-tensorflow: convolutions without bias, affine instance norm, 'same' padding
in D. The authors' PyTorch code has biases and a norm without weights: 11,378,179 (9 blocks), 7,837,699 (6 blocks) and
2,764,737 parameters where this has 11,383,424, 7,841,408 and 2,765,568. Weights start at N(0, 0.02) as in the paper;
the repository cuts that off at two standard deviations.

TensorFlow pads a convolution of stride 2 and kernel 3 at the right and bottom, torch at the left and top: this is the
same G for images turned by 180 degrees.
"""

from itertools import pairwise

from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks.init import dcgan_init
from trainers.networks.instancenorm import InstanceNorm2d


def build(config: NetworkConfig, image_size: int) -> tuple["Generator", "Discriminator"]:
    """The pair for one direction of translation: 9 residual blocks from 256 px on, else 6 (as in the paper).

    Raises:
        UserError: `image_size` is no multiple of 8, or so small that a norm would see a single pixel.
    """
    if image_size < 16 or image_size % 8:
        raise UserError(
            f"network resnet_patchgan translates images whose side is a multiple of 8 from 16 on, "
            f"not of {image_size} pixels"
        )
    generator = Generator(base_width=config.base_width, blocks=9 if image_size >= 256 else 6)
    return generator, Discriminator(base_width=config.base_width)


class Generator(nn.Module):
    """Image ``[B, 3, S, S]`` to image ``[B, 3, S, S]`` in [-1, 1]: two halvings, residual blocks, two doublings.

    Args:
        base_width: channels at full resolution.
        blocks: residual blocks at a quarter of it.
    """

    def __init__(self, *, base_width: int, blocks: int) -> None:
        super().__init__()
        widths = [base_width, 2 * base_width, 4 * base_width]
        layers = [nn.ReflectionPad2d(3), *_norm_relu(nn.Conv2d(3, base_width, 7, bias=False))]  # -> [B, w, S, S]
        for narrow, wide in pairwise(widths):  # [B, narrow, s, s] -> [B, wide, s/2, s/2]
            layers += _norm_relu(nn.Conv2d(narrow, wide, 3, 2, 1, bias=False))
        layers += [ResidualBlock(widths[-1]) for _ in range(blocks)]
        for wide, narrow in pairwise(widths[::-1]):  # [B, wide, s, s] -> [B, narrow, 2s, 2s]
            layers += _norm_relu(nn.ConvTranspose2d(wide, narrow, 3, 2, 1, output_padding=1, bias=False))
        end = [nn.ReflectionPad2d(3), nn.Conv2d(base_width, 3, 7, bias=False), nn.Tanh()]  # -> [B, 3, S, S]
        self.model = nn.Sequential(*layers, *end)
        dcgan_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, 3, S, S]``."""
        assert images.ndim == 4 and images.shape[1] == 3, f"images {tuple(images.shape)}"
        return self.model(images)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        first = [nn.ReflectionPad2d(1), *_norm_relu(nn.Conv2d(channels, channels, 3, bias=False))]
        second = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), _norm(channels)]
        self.model = nn.Sequential(*first, *second)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` -> ``[B, C, H, W]``."""
        return x + self.model(x)


class Discriminator(nn.Module):
    """Image ``[B, 3, S, S]`` to a map of logits ``[B, 1, S/8, S/8]``, each about a patch of 70 x 70 pixels.

    Args:
        base_width: channels of the first layer.
    """

    def __init__(self, *, base_width: int) -> None:
        super().__init__()
        widths = [base_width, 2 * base_width, 4 * base_width]
        layers: list[nn.Module] = [nn.Conv2d(3, base_width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):  # [B, narrow, s, s] -> [B, wide, s/2, s/2]
            layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), _norm(wide), nn.LeakyReLU(0.2, inplace=True)]
        wide = 8 * base_width  # [B, 4w, S/8, S/8] -> [B, 8w, S/8, S/8]
        layers += [*_same(widths[-1], wide), _norm(wide), nn.LeakyReLU(0.2, inplace=True)]
        self.model = nn.Sequential(*layers, *_same(wide, 1))
        dcgan_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, 1, S/8, S/8]``."""
        assert images.ndim == 4 and images.shape[1] == 3, f"images {tuple(images.shape)}"
        return self.model(images)


def _same(narrow: int, wide: int) -> list[nn.Module]:
    return [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(narrow, wide, 4, bias=False)]  # TensorFlow's 'same' for kernel 4


def _norm_relu(conv: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [conv, _norm(conv.out_channels), nn.ReLU(inplace=True)]


def _norm(channels: int) -> InstanceNorm2d:
    return InstanceNorm2d(channels, affine=True)
