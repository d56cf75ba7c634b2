"""The DCGAN pair against the Keras code of the CompCars report, and at other sizes."""

import pytest
import torch
from torch import nn

from tests.trainers.networks.network_tables import Row, glorot_misses, parameters, table
from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks import build_networks
from trainers.networks.dropout import GlobalDropout

pytestmark = pytest.mark.usefixtures("one_thread")

# The report's layers in its order. Parameters: in * out + out, times 16 or 9 for the kernels.
GENERATOR_TABLE: list[Row] = [
    ("Linear", (4096,), 100 * 4096 + 4096),
    ("LeakyReLU", (4096,), 0),
    ("Unflatten", (256, 4, 4), 0),
    ("ConvTranspose2d", (128, 8, 8), 16 * 256 * 128 + 128),
    ("BatchNorm2d", (128, 8, 8), 256),
    ("LeakyReLU", (128, 8, 8), 0),
    ("ConvTranspose2d", (128, 16, 16), 16 * 128 * 128 + 128),
    ("BatchNorm2d", (128, 16, 16), 256),
    ("LeakyReLU", (128, 16, 16), 0),
    ("ConvTranspose2d", (128, 32, 32), 16 * 128 * 128 + 128),
    ("BatchNorm2d", (128, 32, 32), 256),
    ("LeakyReLU", (128, 32, 32), 0),
    ("Conv2d", (3, 32, 32), 9 * 128 * 3 + 3),
    ("Tanh", (3, 32, 32), 0),
]
DISCRIMINATOR_TABLE: list[Row] = [
    ("Conv2d", (64, 32, 32), 9 * 3 * 64 + 64),
    ("BatchNorm2d", (64, 32, 32), 128),
    ("LeakyReLU", (64, 32, 32), 0),
    ("Conv2d", (128, 16, 16), 16 * 64 * 128 + 128),
    ("BatchNorm2d", (128, 16, 16), 256),
    ("LeakyReLU", (128, 16, 16), 0),
    ("Conv2d", (128, 8, 8), 16 * 128 * 128 + 128),
    ("BatchNorm2d", (128, 8, 8), 256),
    ("LeakyReLU", (128, 8, 8), 0),
    ("Conv2d", (256, 4, 4), 16 * 128 * 256 + 256),
    ("BatchNorm2d", (256, 4, 4), 512),
    ("LeakyReLU", (256, 4, 4), 0),
    ("Flatten", (4096,), 0),
    ("GlobalDropout", (4096,), 0),
    ("Linear", (1,), 4097),
]


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, nn.Module]:
    """The report's pair at its size."""
    torch.manual_seed(0)
    return build_networks(NetworkConfig(name="dcgan_cars", latent_dim=100, base_width=64), 32)


def test_generator_is_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    assert table(pair[0], torch.randn(2, 100)) == GENERATOR_TABLE
    assert parameters(pair[0]) == sum(row[2] for row in GENERATOR_TABLE) == 1_466_883


def test_discriminator_is_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    assert table(pair[1], torch.randn(2, 3, 32, 32)) == DISCRIMINATOR_TABLE
    assert parameters(pair[1]) == sum(row[2] for row in DISCRIMINATOR_TABLE) == 925_057


def test_settings_are_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    for network in pair:
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(m.momentum, m.eps) for m in norms} == {(0.01, 1e-3)}  # Keras' defaults 0.99 and 1e-3
        assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert dropouts(pair[1]) == [0.4]


def test_weights_start_as_in_keras(pair: tuple[nn.Module, nn.Module]) -> None:
    assert [glorot_misses(network) for network in pair] == [[], []]


def test_dropout_can_be_set() -> None:
    _, discriminator = build_networks(NetworkConfig(name="dcgan_cars", base_width=2, dropout=0.0), 32)
    assert dropouts(discriminator) == [0.0]


@pytest.mark.parametrize(
    ("size", "generator_widths", "discriminator_widths"),
    [
        (8, [4], [2, 8]),
        (16, [4, 4], [2, 4, 8]),
        (64, [4, 4, 4, 4], [2, 4, 4, 4, 8]),
        (128, [4, 4, 4, 4, 4], [2, 4, 4, 4, 4, 8]),
    ],
)
def test_other_sizes_repeat_the_middle(size: int, generator_widths: list[int], discriminator_widths: list[int]) -> None:
    config = NetworkConfig(name="dcgan_cars", latent_dim=5, base_width=2)
    generator, discriminator = build_networks(config, size, classes=3)
    images = generator(torch.randn(2, 8))
    assert images.shape == (2, 3, size, size)
    assert discriminator(images).shape == (2, 4)
    widths = [
        [m.num_features for m in n.modules() if isinstance(m, nn.BatchNorm2d)] for n in (generator, discriminator)
    ]
    assert widths == [generator_widths, discriminator_widths]


@pytest.mark.parametrize("size", [4, 96])
def test_a_size_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=rf"^network dcgan_cars .* a power of two from 8 on, not of {size} pixels$"):
        build_networks(NetworkConfig(name="dcgan_cars"), size)


def test_a_wrong_shape_is_caught_at_the_door() -> None:
    generator, discriminator = build_networks(NetworkConfig(name="dcgan_cars", latent_dim=5, base_width=2), 32)
    with pytest.raises(AssertionError, match="latents"):
        generator(torch.randn(2, 6))
    with pytest.raises(AssertionError, match="images"):
        discriminator(torch.randn(2, 3, 64, 64))


def dropouts(network: nn.Module) -> list[float]:
    return [m.p for m in network.modules() if isinstance(m, GlobalDropout)]
