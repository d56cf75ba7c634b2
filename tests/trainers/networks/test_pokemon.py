"""The two pairs of the Edouard99/GAN repository against its Models/gan64.py and gan256.py, and at other sizes."""

import pytest
import torch
from torch import nn

from tests.trainers.networks.network_tables import Row, normal_misses, parameters, table
from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks import build_networks
from trainers.networks.minibatch import MinibatchDiscrimination2d

pytestmark = pytest.mark.usefixtures("one_thread")

LATENT = 16  # nz of Train.ipynb
# Convolutions without bias: 16 * in * out parameters.
GENERATOR_64: list[Row] = [
    ("ConvTranspose2d", (1024, 4, 4), 16 * 16 * 1024),
    ("BatchNorm2d", (1024, 4, 4), 2_048),
    ("ReLU", (1024, 4, 4), 0),
    ("ConvTranspose2d", (512, 8, 8), 16 * 1024 * 512),
    ("BatchNorm2d", (512, 8, 8), 1_024),
    ("ReLU", (512, 8, 8), 0),
    ("ConvTranspose2d", (256, 16, 16), 16 * 512 * 256),
    ("BatchNorm2d", (256, 16, 16), 512),
    ("ReLU", (256, 16, 16), 0),
    ("ConvTranspose2d", (128, 32, 32), 16 * 256 * 128),
    ("BatchNorm2d", (128, 32, 32), 256),
    ("ReLU", (128, 32, 32), 0),
    ("ConvTranspose2d", (3, 64, 64), 16 * 128 * 3),
    ("Tanh", (3, 64, 64), 0),
]
# The rows inside the minibatch discrimination are its two convolutions: 16 * 128 * 3 and 16 * 2 * 2.
DISCRIMINATOR_64: list[Row] = [
    ("Conv2d", (128, 32, 32), 16 * 3 * 128),
    ("LeakyReLU", (128, 32, 32), 0),
    ("Conv2d", (3, 8, 8), 16 * 128 * 3),
    ("ConvTranspose2d", (2, 32, 32), 16 * 2 * 2),
    ("Conv2d", (256, 16, 16), 16 * 130 * 256),
    ("BatchNorm2d", (256, 16, 16), 512),
    ("LeakyReLU", (256, 16, 16), 0),
    ("Conv2d", (512, 8, 8), 16 * 256 * 512),
    ("BatchNorm2d", (512, 8, 8), 1_024),
    ("LeakyReLU", (512, 8, 8), 0),
    ("Conv2d", (1024, 4, 4), 16 * 512 * 1024),
    ("BatchNorm2d", (1024, 4, 4), 2_048),
    ("LeakyReLU", (1024, 4, 4), 0),
]
ENDS: dict[str, list[Row]] = {
    "dcgan_pokemon": [("Conv2d", (1, 1, 1), 16 * 1024), ("Flatten", (1,), 0)],
    "wgan_pokemon": [("Flatten", (16 * 1024,), 0), ("Linear", (1,), 16 * 1024 + 1)],
}
TENSOR_64 = (3 * 8 * 8) * (2 * 8 * 8) * 16  # 393,216: 3 channels and 2 maps of 8 x 8, 16 features


@pytest.fixture(scope="module", params=["dcgan_pokemon", "wgan_pokemon"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """The repository's 64 px pair."""
    torch.manual_seed(0)
    return build_networks(NetworkConfig(name=name, latent_dim=LATENT, base_width=128), 64)


def test_generator_is_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    assert table(pair[0], torch.randn(2, LATENT)) == GENERATOR_64
    assert parameters(pair[0]) == sum(row[2] for row in GENERATOR_64) == 11_282_176


def test_discriminator_is_the_documents(name: str, pair: tuple[nn.Module, nn.Module]) -> None:
    rows = DISCRIMINATOR_64 + ENDS[name]
    assert table(pair[1], torch.randn(2, 3, 64, 64)) == rows
    expected = {"dcgan_pokemon": 11_443_776, "wgan_pokemon": 11_443_777}[name]
    assert parameters(pair[1]) == sum(row[2] for row in rows) + TENSOR_64 == expected


def test_settings_are_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    for network in pair:
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(m.momentum, m.eps) for m in norms} == {(0.1, 1e-5)}
    assert {m.negative_slope for m in pair[1].modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


def test_weights_start_as_in_the_document(pair: tuple[nn.Module, nn.Module]) -> None:
    assert [normal_misses(network) for network in pair] == [[], []]


def test_the_256_px_pair(name: str) -> None:
    """gan256.py, without memory for its numbers: D's tensor alone is 805 MB.

    G: 16 * (16 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 32 + 32 * 3) = 11,437,568 in convolutions
    and 2 * (1024 + 512 + 256 + 128 + 64 + 32) = 4,032 in norms. D: 16 * (3 * 32 + 36 * 64 + 64 * 128 + 128 * 256 +
    256 * 512 + 512 * 1024) = 11,179,520 and 2 * (64 + 128 + 256 + 512 + 1024) = 3,968, in minibatch discrimination
    16 * (32 * 3 + 4 * 4) = 1,792 and (3 * 32 * 32) * (4 * 32 * 32) * 16 = 201,326,592, at the end 16,384.
    """
    with torch.device("meta"):
        generator, discriminator = build_networks(NetworkConfig(name=name, latent_dim=LATENT, base_width=128), 256)
    assert parameters(generator) == 11_437_568 + 4_032
    linear_bias = 1 if name == "wgan_pokemon" else 0
    assert parameters(discriminator) == 11_179_520 + 3_968 + 1_792 + 201_326_592 + 16_384 + linear_bias
    images = generator(torch.randn(2, LATENT, device="meta"))
    assert images.shape == (2, 3, 256, 256)
    assert discriminator(images).shape == (2, 1)


@pytest.mark.parametrize(("size", "widths", "maps"), [(32, [32, 16, 8], 1), (128, [32, 16, 8, 4, 2], 3)])
def test_other_sizes_follow_the_rule(name: str, size: int, widths: list[int], maps: int) -> None:
    config = NetworkConfig(name=name, latent_dim=5, base_width=4)
    generator, discriminator = build_networks(config, size, classes=3)
    images = generator(torch.randn(2, 8))
    assert images.shape == (2, 3, size, size)
    assert discriminator(images).shape == (2, 4)
    norms = [m.num_features for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == widths
    (compared,) = [m for m in discriminator.modules() if isinstance(m, MinibatchDiscrimination2d)]
    assert compared.out_channels == maps
    assert compared.reduce.in_channels == widths[-1]


@pytest.mark.parametrize("size", [16, 96])
def test_a_size_that_does_not_fit_is_refused(name: str, size: int) -> None:
    with pytest.raises(UserError, match=rf"^network {name} .* a power of two from 32 on, not of {size} pixels$"):
        build_networks(NetworkConfig(name=name), size)


def test_a_width_that_cannot_be_halved_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"at 256 px needs a network.base_width that is a multiple of 4, not 6$"):
        build_networks(NetworkConfig(name=name, base_width=6), 256)


def test_a_wrong_shape_is_caught_at_the_door(name: str) -> None:
    generator, discriminator = build_networks(NetworkConfig(name=name, latent_dim=5, base_width=2), 32)
    with pytest.raises(AssertionError, match="latents"):
        generator(torch.randn(2, 6))
    with pytest.raises(AssertionError, match="images"):
        discriminator(torch.randn(2, 3, 64, 64))
