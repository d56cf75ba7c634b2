"""The two pairs of the Edouard99/GAN repository (Pokemon of 64 and 256 px), for any power of two from 32 pixels on.

Rows dcgan_pokemon and wgan_pokemon differ in D's last layer alone: a 4 x 4 convolution or a Linear. At base width 128
they are the repository's: the channels halve with each doubling of the resolution, down to 128 at 64 px and 32 at 256.
With 16 latents, as there, G has 11,282,176 parameters at 64 px, D 11,443,776 with the convolution, one more with the
Linear.
D's minibatch discrimination has 2 maps at 64 px and 4 at 256; the other sizes follow: 1 at 32 px, 3 at 128.
"""

from functools import partial
from itertools import pairwise
from math import log2
from typing import Literal

from torch import Tensor, nn

from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks.init import dcgan_init
from trainers.networks.minibatch import MinibatchDiscrimination2d
from trainers.networks.sizes import require_power_of_two

Head = Literal["convolution", "linear"]


def build(
    config: NetworkConfig, image_size: int, inputs: int, outputs: int, *, head: Head
) -> tuple["Generator", "Discriminator"]:
    """The pair for ``[B, inputs]`` latents and ``[B, outputs]`` logits.

    Raises:
        UserError: `image_size` is no power of two or below 32, or `base_width` cannot be halved that often.
    """
    require_power_of_two(config.name, image_size, least=32)
    if config.base_width * 64 % image_size:
        raise UserError(
            f"network {config.name} at {image_size} px needs a network.base_width that is a multiple of "
            f"{image_size // 64}, not {config.base_width}"
        )
    widths = [8 * config.base_width >> level for level in range(int(log2(image_size // 4)))]  # 64 px: 1024 512 256 128
    discriminator = Discriminator(image_size=image_size, widths=widths[::-1], outputs=outputs, head=head)
    return Generator(widths=widths, inputs=inputs), discriminator


build_dcgan = partial(build, head="convolution")
build_wgan = partial(build, head="linear")


class Generator(nn.Module):
    """Latent ``[B, inputs]`` to image ``[B, 3, S, S]`` in [-1, 1] by transposed convolutions.

    Args:
        widths: channels at 4, 8, ... S / 2 pixels.
        inputs: length of z.
    """

    def __init__(self, *, widths: list[int], inputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        layers = _up(inputs, widths[0], stride=1, padding=0)  # [B, z, 1, 1] -> [B, widths[0], 4, 4]
        for wide, narrow in pairwise(widths):
            layers += _up(wide, narrow, stride=2, padding=1)  # [B, wide, s, s] -> [B, narrow, 2s, 2s]
        self.model = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1, bias=False), nn.Tanh())
        dcgan_init(self)

    def forward(self, z: Tensor) -> Tensor:
        """``[B, inputs]`` -> ``[B, 3, S, S]``."""
        assert z.ndim == 2 and z.shape[1] == self.inputs, f"latents {tuple(z.shape)}"
        return self.model(z[:, :, None, None])


class Discriminator(nn.Module):
    """Image ``[B, 3, S, S]`` to logits ``[B, outputs]``, each of which depends on all images of the batch; no sigmoid.

    Args:
        image_size: S, a power of two from 32 on, pixels.
        widths: channels at S / 2, ... 8, 4 pixels.
        outputs: logits per image.
        head: the last layer.
    """

    def __init__(self, *, image_size: int, widths: list[int], outputs: int, head: Head) -> None:
        super().__init__()
        self.image_size = image_size
        maps = int(log2(image_size)) - 4
        first = nn.Conv2d(3, widths[0], 4, 2, 1, bias=False)  # [B, 3, S, S] -> [B, widths[0], S/2, S/2]
        similarities = MinibatchDiscrimination2d(size=image_size // 2, in_channels=widths[0], out_channels=maps)
        layers: list[nn.Module] = [first, nn.LeakyReLU(0.2, inplace=True), similarities]
        for narrow, wide in pairwise([widths[0] + maps, *widths[1:]]):  # [B, narrow, 2s, 2s] -> [B, wide, s, s]
            conv = nn.Conv2d(narrow, wide, 4, 2, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
        if head == "convolution":
            layers += [nn.Conv2d(widths[-1], outputs, 4, 1, 0, bias=False), nn.Flatten()]
        else:
            layers += [nn.Flatten(), nn.Linear(widths[-1] * 4 * 4, outputs)]
        self.model = nn.Sequential(*layers)
        dcgan_init(self)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` -> ``[B, outputs]``."""
        assert images.shape[1:] == (3, self.image_size, self.image_size), f"images {tuple(images.shape)}"
        return self.model(images)


def _up(wide: int, narrow: int, *, stride: int, padding: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(wide, narrow, 4, stride, padding, bias=False)
    return [conv, nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)]
