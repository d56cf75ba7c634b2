"""The small R3GAN pair: its size, how it starts, other sizes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainers.networks.network_tables import parameters, table
from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks import build_networks
from trainers.networks.r3gan_small import Block

pytestmark = pytest.mark.usefixtures("one_thread")


def pair(size: int, width: int = 24, latent: int = 64, classes: int = 0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    config = NetworkConfig(name="r3gan_small", latent_dim=latent, base_width=width)
    return build_networks(config, size, classes)


def test_parameters_at_32_px() -> None:
    """A block of c channels has 4 c^2 + 148 c: 2 c^2 + 2 c, then 2 c * 9 * 8 + 2 c, then 2 c^2.

    Blocks of 24, 48, 96 and 192: 5,856 + 16,320 + 51,072 + 175,872 = 249,120. Between them
    24 * 48 + 48 * 96 + 96 * 192 = 24,192. G: 64 * 192 and 16 * 192 to start, 3 * 24 to end. D: 3 * 24, 16 * 192, 192.
    """
    generator, discriminator = pair(32)
    assert parameters(generator) == 249_120 + 24_192 + 12_288 + 3_072 + 72 == 288_744
    assert parameters(discriminator) == 249_120 + 24_192 + 72 + 3_072 + 192 == 276_648


def test_layers_of_the_discriminator() -> None:
    _, discriminator = pair(16, width=8)

    def block(channels: int, side: int) -> list[tuple[str, tuple[int, ...]]]:
        inner = (2 * channels, side, side)
        act = ("LeakyReLU", inner)
        return [("Conv2d", inner), act, ("Conv2d", inner), act, ("Conv2d", (channels, side, side))]

    rows = [row[:2] for row in table(discriminator, torch.randn(2, 3, 16, 16))]
    assert rows == [
        ("Conv2d", (8, 16, 16)),
        *block(8, 16),
        ("AvgPool2d", (8, 8, 8)),
        ("Conv2d", (16, 8, 8)),
        *block(16, 8),
        ("AvgPool2d", (16, 4, 4)),
        ("Conv2d", (32, 4, 4)),
        *block(32, 4),
        ("Conv2d", (32, 1, 1)),
        ("Flatten", (32,)),
        ("Linear", (1,)),
    ]


def test_halving_is_bilinear() -> None:
    _, discriminator = pair(16, width=8)
    halve = next(m for m in discriminator.modules() if isinstance(m, nn.AvgPool2d))
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(halve(x), F.interpolate(x, scale_factor=0.5, mode="bilinear"))


def test_no_normalisation_and_widths_are_capped() -> None:
    generator, discriminator = pair(256, width=4)
    for network in (generator, discriminator):
        assert not [m for m in network.modules() if "Norm" in type(m).__name__]
    widths = [m.model[0].in_channels for m in discriminator.modules() if isinstance(m, Block)]
    assert widths == [4, 8, 16, 32, 32, 32, 32]
    assert [m.model[0].in_channels for m in generator.modules() if isinstance(m, Block)] == widths[::-1]


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (24, 6), (32, 8), (6, 3)])
def test_groups(channels: int, groups: int) -> None:
    """8 channels per group where 2 * `channels` is a multiple of 8, else the largest common divisor."""
    assert Block(channels, depth=4).model[2].groups == groups


def test_a_block_starts_near_the_identity_and_by_fixup() -> None:
    torch.manual_seed(0)
    block = Block(64, depth=16)
    spreads = [block.model[k].weight.std().item() for k in (0, 2, 4)]
    leaky = (2 / (1 + 0.2**2)) ** 0.5  # keeps the second moment through LeakyReLU 0.2
    # inputs of a unit: 64, 9 * 8, 128; depth^(-1/4) = 1/2
    assert spreads == pytest.approx([leaky / 2 / 8, leaky / 2 / 72**0.5, 0.1 / 128**0.5], rel=0.03)
    assert not block.model[0].bias.any() and not block.model[2].bias.any()
    x = torch.randn(8, 64, 8, 8)
    change = (block(x) - x).std().item()
    assert 0.001 < change < 0.1


@pytest.mark.parametrize("size", [32, 256])
def test_signals_start_neither_small_nor_large(size: int) -> None:
    """Without normalisation only the initial weights keep signals in range, at any depth."""
    generator, discriminator = pair(size, width=8)
    with torch.no_grad():
        before_tanh = generator.model[:-1](generator.weigh(torch.randn(16, 64))[:, :, None, None] * generator.basis)
        logits = discriminator(torch.randn(16, 3, size, size).clamp(-1, 1))
    assert 0.2 < before_tanh.std() < 2
    assert logits.abs().max() < 3


@pytest.mark.parametrize("size", [8, 16, 64, 128])
def test_other_sizes(size: int) -> None:
    generator, discriminator = pair(size, width=4, latent=5, classes=3)
    images = generator(torch.randn(2, 8))
    assert images.shape == (2, 3, size, size)
    assert discriminator(images).shape == (2, 4)


@pytest.mark.parametrize("size", [4, 96])
def test_a_size_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=rf"^network r3gan_small .* a power of two from 8 on, not of {size} pixels$"):
        pair(size)


def test_a_wrong_shape_is_caught_at_the_door() -> None:
    generator, discriminator = pair(32, width=4)
    with pytest.raises(AssertionError, match="latents"):
        generator(torch.randn(2, 6))
    with pytest.raises(AssertionError, match="images"):
        discriminator(torch.randn(2, 3, 64, 64))
