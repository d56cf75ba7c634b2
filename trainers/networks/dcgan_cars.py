"""The DCGAN pair of the CompCars report (32 px fronts of cars, Keras), for any power of two from 8 pixels on.

At 32 px and base width 64 it is the report's, with 1,466,883 and 925,057 parameters for 100 latents. Another size has
more or fewer of the blocks from 128 to 128 channels, the only ones that the report repeats.
"""

from itertools import pairwise
from math import log2

from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.networks.dropout import GlobalDropout
from trainers.networks.init import keras_init
from trainers.networks.sizes import require_power_of_two

DROPOUT = 0.4


def build(config: NetworkConfig, image_size: int, inputs: int, outputs: int) -> tuple["Generator", "Discriminator"]:
    """The pair for ``[B, inputs]`` latents and ``[B, outputs]`` logits.

    Raises:
        UserError: `image_size` is no power of two, or below 8.
    """
    require_power_of_two("dcgan_cars", image_size, least=8)
    generator = Generator(image_size=image_size, base_width=config.base_width, inputs=inputs)
    dropout = DROPOUT if config.dropout is None else config.dropout
    return generator, Discriminator(
        image_size=image_size, base_width=config.base_width, outputs=outputs, dropout=dropout
    )


class Generator(nn.Module):
    """Latent ``[B, inputs]`` to image ``[B, 3, S, S]`` in [-1, 1] by transposed convolutions.

    Args:
        image_size: S, a power of two from 8 on, pixels.
        base_width: half the channels of the hidden layers, a quarter of the first map's.
        inputs: length of z.
    """

    def __init__(self, *, image_size: int, base_width: int, inputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        widths = [4 * base_width, *[2 * base_width] * int(log2(image_size // 4))]  # 32 px: 256 128 128 128
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * 4 * 4),  # [B, inputs] -> [B, 16 widths[0]]
            nn.LeakyReLU(0.2, inplace=True),
            nn.Unflatten(1, (widths[0], 4, 4)),
        ]
        for wide, narrow in pairwise(widths):  # [B, wide, s, s] -> [B, narrow, 2s, 2s]
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1), _norm(narrow), nn.LeakyReLU(0.2, inplace=True)]
        self.model = nn.Sequential(*layers, nn.Conv2d(widths[-1], 3, 3, 1, 1), nn.Tanh())
        keras_init(self)

    def forward(self, z: Tensor) -> Tensor:
        """``[B, inputs]`` -> ``[B, 3, S, S]``."""
        assert z.ndim == 2 and z.shape[1] == self.inputs, f"latents {tuple(z.shape)}"
        return self.model(z)


class Discriminator(nn.Module):
    """Image ``[B, 3, S, S]`` to logits ``[B, outputs]`` by strided convolutions; no sigmoid.

    Args:
        image_size: S, a power of two from 8 on, pixels.
        base_width: channels of the first layer, a quarter of the last one's.
        outputs: logits per image.
        dropout: probability before the last layer.
    """

    def __init__(self, *, image_size: int, base_width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.image_size = image_size
        halvings = int(log2(image_size // 4))
        widths = [base_width, *[2 * base_width] * (halvings - 1), 4 * base_width]  # 32 px: 64 128 128 256
        layers = _conv(3, widths[0], kernel=3, stride=1)
        for narrow, wide in pairwise(widths):  # [B, narrow, 2s, 2s] -> [B, wide, s, s]
            layers += _conv(narrow, wide, kernel=4, stride=2)
        head = [nn.Flatten(), GlobalDropout(dropout), nn.Linear(widths[-1] * 4 * 4, outputs)]
        self.model = nn.Sequential(*layers, *head)
        keras_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, outputs]``."""
        assert images.shape[1:] == (3, self.image_size, self.image_size), f"images {tuple(images.shape)}"
        return self.model(images)


def _conv(narrow: int, wide: int, *, kernel: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(narrow, wide, kernel, stride, 1), _norm(wide), nn.LeakyReLU(0.2, inplace=True)]


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # Keras' defaults; its 0.99 is the share kept
