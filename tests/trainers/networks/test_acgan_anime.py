"""The ACGAN pair against the two tables of the MLDS HW4 report, and at other sizes."""

import pytest
import torch
from torch import nn

from tests.trainers.networks.network_tables import Row, glorot_misses, parameters, table
from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks import build_networks
from trainers.networks.dropout import GlobalDropout

pytestmark = pytest.mark.usefixtures("one_thread")

LATENT, HAIR, EYES = 100, 12, 11
# Filters per layer are the report's; parameters are 9 * in * out + out for a 3 x 3 convolution.
GENERATOR_TABLE: list[Row] = [
    ("Linear", (4608,), 123 * 4608 + 4608),
    ("Unflatten", (128, 6, 6), 0),
    ("BatchNorm2d", (128, 6, 6), 256),
    ("Upsample", (128, 12, 12), 0),
    ("Conv2d", (512, 12, 12), 590_336),
    ("ReLU", (512, 12, 12), 0),
    ("BatchNorm2d", (512, 12, 12), 1_024),
    ("Upsample", (512, 24, 24), 0),
    ("Conv2d", (256, 24, 24), 1_179_904),
    ("ReLU", (256, 24, 24), 0),
    ("BatchNorm2d", (256, 24, 24), 512),
    ("Upsample", (256, 48, 48), 0),
    ("Conv2d", (128, 48, 48), 295_040),
    ("ReLU", (128, 48, 48), 0),
    ("BatchNorm2d", (128, 48, 48), 256),
    ("Upsample", (128, 96, 96), 0),
    ("Conv2d", (64, 96, 96), 73_792),
    ("ReLU", (64, 96, 96), 0),
    ("BatchNorm2d", (64, 96, 96), 128),
    ("Conv2d", (3, 96, 96), 1_731),
    ("Tanh", (3, 96, 96), 0),
]
DISCRIMINATOR_TABLE: list[Row] = [
    ("Conv2d", (32, 48, 48), 896),
    ("LeakyReLU", (32, 48, 48), 0),
    ("GlobalDropout", (32, 48, 48), 0),
    ("Conv2d", (64, 48, 48), 18_496),
    ("LeakyReLU", (64, 48, 48), 0),
    ("GlobalDropout", (64, 48, 48), 0),
    ("BatchNorm2d", (64, 48, 48), 128),
    ("Conv2d", (128, 24, 24), 73_856),
    ("LeakyReLU", (128, 24, 24), 0),
    ("GlobalDropout", (128, 24, 24), 0),
    ("BatchNorm2d", (128, 24, 24), 256),
    ("Conv2d", (256, 24, 24), 295_168),
    ("LeakyReLU", (256, 24, 24), 0),
    ("GlobalDropout", (256, 24, 24), 0),
    ("BatchNorm2d", (256, 24, 24), 512),
    ("Conv2d", (256, 12, 12), 590_080),
    ("LeakyReLU", (256, 12, 12), 0),
    ("GlobalDropout", (256, 12, 12), 0),
    ("BatchNorm2d", (256, 12, 12), 512),
    ("Flatten", (36_864,), 0),
    ("Linear", (24,), 36_864 * (1 + 12 + 11) + (1 + 12 + 11)),
]


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, nn.Module]:
    """The report's pair at its size."""
    torch.manual_seed(0)
    config = NetworkConfig(name="acgan_anime", latent_dim=LATENT, base_width=32)
    return build_networks(config, 96, classes=HAIR + EYES)


def test_generator_is_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    assert table(pair[0], torch.randn(2, LATENT + HAIR + EYES)) == GENERATOR_TABLE
    assert parameters(pair[0]) == sum(row[2] for row in GENERATOR_TABLE) == 2_714_371


def test_discriminator_is_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    assert table(pair[1], torch.randn(2, 3, 96, 96)) == DISCRIMINATOR_TABLE
    assert parameters(pair[1]) == sum(row[2] for row in DISCRIMINATOR_TABLE) == 1_864_664


def test_settings_are_the_documents(pair: tuple[nn.Module, nn.Module]) -> None:
    generator, discriminator = pair
    for network in pair:
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(m.momentum, m.eps) for m in norms} == {(0.25, 1e-3)}
        assert {m.kernel_size for m in network.modules() if isinstance(m, nn.Conv2d)} == {(3, 3)}
    assert {m.mode for m in generator.modules() if isinstance(m, nn.Upsample)} == {"nearest"}
    assert {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert dropouts(discriminator) == [0.25, 0.25, 0.25, 0.5, 0.5]


def test_weights_start_as_in_keras(pair: tuple[nn.Module, nn.Module]) -> None:
    assert [glorot_misses(network) for network in pair] == [[], []]


def test_dropout_can_be_set() -> None:
    _, discriminator = build_networks(NetworkConfig(name="acgan_anime", base_width=2, dropout=0.1), 32)
    assert dropouts(discriminator) == [0.1] * 5


@pytest.mark.parametrize("size", [16, 32, 48, 64])
def test_other_sizes(size: int) -> None:
    generator, discriminator = build_networks(NetworkConfig(name="acgan_anime", latent_dim=5, base_width=2), size)
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, 3, size, size)
    assert discriminator(images).shape == (2, 1)
    assert table(generator, torch.randn(2, 5))[1] == ("Unflatten", (8, size // 16, size // 16), 0)


def test_a_size_that_does_not_fit_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"^network acgan_anime makes images whose side is a multiple of 16, not of 40 "
    ):
        build_networks(NetworkConfig(name="acgan_anime"), 40)


def test_a_wrong_shape_is_caught_at_the_door() -> None:
    generator, discriminator = build_networks(NetworkConfig(name="acgan_anime", latent_dim=5, base_width=2), 32)
    with pytest.raises(AssertionError, match="latents"):
        generator(torch.randn(2, 6))
    with pytest.raises(AssertionError, match="images"):
        discriminator(torch.randn(2, 3, 64, 64))


def dropouts(network: nn.Module) -> list[float]:
    return [m.p for m in network.modules() if isinstance(m, GlobalDropout)]
