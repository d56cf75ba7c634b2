"""The DCGAN pair against the two tables of the Zalo motorbike article, and at other sizes."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.trainers.networks.network_tables import parameters, table
from trainers.config import TrainConfig
from trainers.networks import build_networks
from trainers.networks.dcgan import Discriminator, Generator

# Layer, output shape without the batch, parameters: torchsummary's rows as the article prints them.
GENERATOR_TABLE = [
    ("ConvTranspose2d", (1024, 4, 4), 2_097_152),
    ("BatchNorm2d", (1024, 4, 4), 2_048),
    ("ReLU", (1024, 4, 4), 0),
    ("ConvTranspose2d", (512, 8, 8), 8_388_608),
    ("BatchNorm2d", (512, 8, 8), 1_024),
    ("ReLU", (512, 8, 8), 0),
    ("ConvTranspose2d", (256, 16, 16), 2_097_152),
    ("BatchNorm2d", (256, 16, 16), 512),
    ("ReLU", (256, 16, 16), 0),
    ("ConvTranspose2d", (128, 32, 32), 524_288),
    ("BatchNorm2d", (128, 32, 32), 256),
    ("ReLU", (128, 32, 32), 0),
    ("ConvTranspose2d", (64, 64, 64), 131_072),
    ("BatchNorm2d", (64, 64, 64), 128),
    ("ReLU", (64, 64, 64), 0),
    ("ConvTranspose2d", (32, 128, 128), 32_768),
    ("BatchNorm2d", (32, 128, 128), 64),
    ("ReLU", (32, 128, 128), 0),
    ("ConvTranspose2d", (3, 128, 128), 867),
    ("Tanh", (3, 128, 128), 0),
]
DISCRIMINATOR_TABLE = [
    ("Conv2d", (32, 64, 64), 1_536),
    ("LeakyReLU", (32, 64, 64), 0),
    ("Conv2d", (64, 32, 32), 32_768),
    ("LeakyReLU", (64, 32, 32), 0),
    ("Conv2d", (128, 16, 16), 131_072),
    ("BatchNorm2d", (128, 16, 16), 256),
    ("LeakyReLU", (128, 16, 16), 0),
    ("Conv2d", (256, 8, 8), 524_288),
    ("BatchNorm2d", (256, 8, 8), 512),
    ("LeakyReLU", (256, 8, 8), 0),
    ("Conv2d", (512, 4, 4), 2_097_152),
    ("BatchNorm2d", (512, 4, 4), 1_024),
    ("LeakyReLU", (512, 4, 4), 0),
    ("Conv2d", (1, 1, 1), 8_192),
]


@pytest.fixture(scope="module")
def document_pair() -> tuple[nn.Module, nn.Module]:
    config = TrainConfig()
    return build_networks(config.network, config.data.image_size)


def test_generator_is_the_documents(document_pair: tuple[nn.Module, nn.Module]) -> None:
    generator, _ = document_pair
    assert parameters(generator) == 13_275_939
    assert table(generator, torch.randn(2, 128)) == GENERATOR_TABLE


def test_discriminator_is_the_documents(document_pair: tuple[nn.Module, nn.Module]) -> None:
    _, discriminator = document_pair
    assert parameters(discriminator) == 2_796_800
    assert table(discriminator, torch.randn(2, 3, 128, 128)) == DISCRIMINATOR_TABLE


def test_kernels_and_slopes_are_the_documents(document_pair: tuple[nn.Module, nn.Module]) -> None:
    generator, discriminator = document_pair
    ups = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [(m.kernel_size[0], m.stride[0], m.padding[0], m.bias is not None) for m in ups] == [
        (4, 1, 0, False),
        *[(4, 2, 1, False)] * 5,
        (3, 1, 1, True),
    ]
    downs = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.kernel_size[0], m.stride[0], m.padding[0], m.bias is not None) for m in downs] == [
        *[(4, 2, 1, False)] * 5,
        (4, 1, 0, False),
    ]
    assert {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("size", [32, 64, 256])
def test_other_sizes(size: int) -> None:
    generator = Generator(image_size=size, base_width=4, latent_dim=6).eval()
    discriminator = Discriminator(image_size=size, base_width=4).eval()
    with torch.no_grad():
        images = generator(torch.randn(2, 6))
        assert images.shape == (2, 3, size, size)
        assert discriminator(images).shape == (2, 1)
    hidden = [m.num_features for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert hidden == [4 * size // 4 // 2**k for k in range(len(hidden))] and hidden[-1] == 4


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("latent", [5, 16])
def test_parameters_by_formula(size: int, width: int, latent: int) -> None:
    """With w channels at the finest layer and k halvings from `size` to 4, layer j has w 2^j channels."""
    halvings = {32: 3, 64: 4, 128: 5}[size]
    widths = [width * 2**j for j in range(halvings + 1)]
    up = 16 * latent * widths[-1] + sum(16 * a * b for a, b in pairwise(widths))
    assert parameters(Generator(image_size=size, base_width=width, latent_dim=latent)) == (
        up + 2 * sum(widths) + 27 * width + 3
    )
    levels = widths[:-1]
    down = 16 * 3 * width + sum(16 * a * b for a, b in pairwise(levels))
    assert parameters(Discriminator(image_size=size, base_width=width)) == (
        down + 2 * sum(levels[2:]) + 16 * levels[-1]
    )


def test_a_wrong_shape_is_caught_at_the_door() -> None:
    with pytest.raises(AssertionError, match="latents"):
        Generator(image_size=32, base_width=4, latent_dim=6)(torch.randn(2, 5))
    with pytest.raises(AssertionError, match="images"):
        Discriminator(image_size=32, base_width=4)(torch.randn(2, 3, 64, 64))
