"""The DCGAN pair of the Zalo motorbike article, for any power-of-two image size.

At 128 px, base width 32 and 128 latents it is the article's, with 13,275,939 and 2,796,800 parameters.
"""

from itertools import pairwise
from math import log2

from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.networks.sizes import require_power_of_two


def build(config: NetworkConfig, image_size: int, inputs: int, outputs: int) -> tuple["Generator", "Discriminator"]:
    """The pair for ``[B, inputs]`` latents and ``[B, outputs]`` logits.

    Raises:
        UserError: `image_size` is no power of two, or below 8.
    """
    require_power_of_two("dcgan", image_size, least=8)
    width = config.base_width
    generator = Generator(image_size=image_size, base_width=width, latent_dim=inputs)
    return generator, Discriminator(image_size=image_size, base_width=width, outputs=outputs)


class Generator(nn.Module):
    """Latent ``[B, latent_dim]`` to image ``[B, 3, S, S]`` in [-1, 1] by transposed convolutions.

    Args:
        image_size: S, a power of two from 8 on, pixels.
        base_width: channels of the last hidden layer; they double with each halving of the resolution.
        latent_dim: length of z.
    """

    def __init__(self, *, image_size: int, base_width: int, latent_dim: int) -> None:
        super().__init__()
        self.image_size, self.latent_dim = image_size, latent_dim
        doublings = int(log2(image_size // 4))
        widths = [base_width * 2**k for k in range(doublings, -1, -1)]  # 128 px: 1024 512 256 128 64 32
        layers = _up(latent_dim, widths[0], stride=1, padding=0)  # [B, z, 1, 1] -> [B, widths[0], 4, 4]
        for wide, narrow in pairwise(widths):
            layers += _up(wide, narrow, stride=2, padding=1)  # [B, wide, s, s] -> [B, narrow, 2s, 2s]
        self.model = nn.Sequential(*layers, nn.ConvTranspose2d(base_width, 3, 3, 1, 1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """``[B, latent_dim]`` -> ``[B, 3, S, S]``."""
        assert z.ndim == 2 and z.shape[1] == self.latent_dim, f"latents {tuple(z.shape)}"
        return self.model(z[:, :, None, None])


class Discriminator(nn.Module):
    """Image ``[B, 3, S, S]`` to logits ``[B, outputs]`` by strided convolutions; no sigmoid.

    Args:
        image_size: S, a power of two from 8 on, pixels.
        base_width: channels of the first layer; they double with each halving of the resolution.
        outputs: logits per image.
    """

    def __init__(self, *, image_size: int, base_width: int, outputs: int = 1) -> None:
        super().__init__()
        self.image_size = image_size
        halvings = int(log2(image_size // 4))
        widths = [3, *(base_width * 2**k for k in range(halvings))]  # 128 px: 3 32 64 128 256 512
        layers: list[nn.Module] = []
        for depth, (narrow, wide) in enumerate(pairwise(widths)):
            layers += _down(narrow, wide, batchnorm=depth >= 2)  # [B, narrow, 2s, 2s] -> [B, wide, s, s]
        self.model = nn.Sequential(
            *layers, nn.Conv2d(widths[-1], outputs, 4, 1, 0, bias=False)
        )  # -> [B, outputs, 1, 1]

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, outputs]``."""
        assert images.shape[1:] == (3, self.image_size, self.image_size), f"images {tuple(images.shape)}"
        return self.model(images).flatten(1)


def _up(wide: int, narrow: int, *, stride: int, padding: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(wide, narrow, 4, stride, padding, bias=False)
    return [conv, nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)]


def _down(narrow: int, wide: int, *, batchnorm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(narrow, wide, 4, 2, 1, bias=False)
    return [conv, *([nn.BatchNorm2d(wide)] if batchnorm else []), nn.LeakyReLU(0.2, inplace=True)]
