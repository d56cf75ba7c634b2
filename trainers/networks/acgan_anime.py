"""The auxiliary classifier pair of the MLDS HW4 report (96 px anime faces, Keras), for any multiple of 16 pixels.

At 96 px and base width 32 it is the report's, with 2,714,371 and 1,864,664 parameters for 100 latents and 12 + 11
classes. Where the report is unclear or this pair differs:

- The kernel of G's 64-filter convolution is garbled in the report; here it is 3 x 3, as in its neighbours.
- D's table gives BatchNorm's momentum but not its places. Here: convolution, LeakyReLU, dropout, BatchNorm, in every
  block but the first, the order of Keras-GAN's acgan.py.
- D's three dense heads (1, 12 and 11 wide) are one Linear, whose outputs stand side by side.

Keras pads a convolution of stride 2 at the right and bottom, torch at the left and top: this is the same pair for
images turned by 180 degrees.
"""

from itertools import pairwise

from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks.dropout import GlobalDropout
from trainers.networks.init import keras_init

DOUBLINGS = 4  # of the side of G's first map
# Channels as multiples of base_width.
GENERATOR_WIDTHS = (4, 16, 8, 4, 2)
DISCRIMINATOR_WIDTHS = (1, 2, 4, 8, 8)
STRIDES = (2, 1, 2, 1, 2)
DROPOUTS = (0.25, 0.25, 0.25, 0.5, 0.5)


def build(config: NetworkConfig, image_size: int, inputs: int, outputs: int) -> tuple["Generator", "Discriminator"]:
    """The pair for ``[B, inputs]`` latents and ``[B, outputs]`` logits.

    Raises:
        UserError: `image_size` is no multiple of 16.
    """
    if image_size % 2**DOUBLINGS:
        raise UserError(f"network acgan_anime makes images whose side is a multiple of 16, not of {image_size} pixels")
    generator = Generator(image_size=image_size, base_width=config.base_width, inputs=inputs)
    dropouts = DROPOUTS if config.dropout is None else (config.dropout,) * len(DROPOUTS)
    return generator, Discriminator(
        image_size=image_size, base_width=config.base_width, outputs=outputs, dropouts=dropouts
    )


class Generator(nn.Module):
    """Latent and one-hot classes side by side, ``[B, inputs]``, to image ``[B, 3, S, S]`` in [-1, 1].

    Args:
        image_size: S, a multiple of 16, pixels.
        base_width: half the channels of the last hidden layer.
        inputs: length of the latent and the classes together.
    """

    def __init__(self, *, image_size: int, base_width: int, inputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        widths = [base_width * factor for factor in GENERATOR_WIDTHS]  # 128 512 256 128 64
        side = image_size // 2**DOUBLINGS
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * side**2),  # [B, inputs] -> [B, widths[0] side^2]
            nn.Unflatten(1, (widths[0], side, side)),
            _norm(widths[0]),
        ]
        for narrow, wide in pairwise(widths):  # [B, narrow, s, s] -> [B, wide, 2s, 2s]
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(narrow, wide, 3, 1, 1),
                nn.ReLU(inplace=True),
                _norm(wide),
            ]
        self.model = nn.Sequential(*layers, nn.Conv2d(widths[-1], 3, 3, 1, 1), nn.Tanh())
        keras_init(self)

    def forward(self, z: Tensor) -> Tensor:
        """``[B, inputs]`` -> ``[B, 3, S, S]``."""
        assert z.ndim == 2 and z.shape[1] == self.inputs, f"latents {tuple(z.shape)}"
        return self.model(z)


class Discriminator(nn.Module):
    """Image ``[B, 3, S, S]`` to logits ``[B, outputs]``: real or fake, then the classes; no sigmoid, no softmax.

    Args:
        image_size: S, a multiple of 16, pixels.
        base_width: channels of the first layer.
        outputs: logits per image.
        dropouts: dropout probability of each block.
    """

    def __init__(self, *, image_size: int, base_width: int, outputs: int, dropouts: tuple[float, ...]) -> None:
        super().__init__()
        self.image_size = image_size
        widths = [3, *(base_width * factor for factor in DISCRIMINATOR_WIDTHS)]  # 3 32 64 128 256 256
        layers: list[nn.Module] = []
        for (narrow, wide), stride, dropout in zip(pairwise(widths), STRIDES, dropouts, strict=True):
            # [B, narrow, s, s] -> [B, wide, s / stride, s / stride]
            conv = nn.Conv2d(narrow, wide, 3, stride, 1)
            norm = [_norm(wide)] if layers else []
            layers += [conv, nn.LeakyReLU(0.2, inplace=True), GlobalDropout(dropout), *norm]
        self.model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * (image_size // 8) ** 2, outputs))
        keras_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, outputs]``."""
        assert images.shape[1:] == (3, self.image_size, self.image_size), f"images {tuple(images.shape)}"
        return self.model(images)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.25)  # Keras' momentum 0.75 is the share kept
