"""CycleGAN's pair against module.py of xhujoy/CycleGAN-tensorflow (used in the MLDS HW4 report), at other sizes too."""

import pytest
import torch
from torch import nn

from tests.trainers.networks.network_tables import Row, normal_misses, parameters, table
from trainers.config import NetworkConfig
from trainers.errors import UserError
from trainers.networks import build_translators

pytestmark = pytest.mark.usefixtures("one_thread")


def normed(kind: str, shape: tuple[int, int, int], weights: int) -> list[Row]:
    return [(kind, shape, weights), ("InstanceNorm2d", shape, 2 * shape[0]), ("ReLU", shape, 0)]


RESIDUAL_BLOCK: list[Row] = [
    ("ReflectionPad2d", (256, 66, 66), 0),
    *normed("Conv2d", (256, 64, 64), 9 * 256 * 256),
    ("ReflectionPad2d", (256, 66, 66), 0),
    *normed("Conv2d", (256, 64, 64), 9 * 256 * 256)[:2],
]
GENERATOR_256: list[Row] = [
    ("ReflectionPad2d", (3, 262, 262), 0),
    *normed("Conv2d", (64, 256, 256), 49 * 3 * 64),
    *normed("Conv2d", (128, 128, 128), 9 * 64 * 128),
    *normed("Conv2d", (256, 64, 64), 9 * 128 * 256),
    *RESIDUAL_BLOCK * 9,
    *normed("ConvTranspose2d", (128, 128, 128), 9 * 256 * 128),
    *normed("ConvTranspose2d", (64, 256, 256), 9 * 128 * 64),
    ("ReflectionPad2d", (64, 262, 262), 0),
    ("Conv2d", (3, 256, 256), 49 * 64 * 3),
    ("Tanh", (3, 256, 256), 0),
]
# The repository's comments give the shapes of its h0 to h4: 128, 64, 32, 32 and 32 pixels.
DISCRIMINATOR_256: list[Row] = [
    ("Conv2d", (64, 128, 128), 16 * 3 * 64),
    ("LeakyReLU", (64, 128, 128), 0),
    ("Conv2d", (128, 64, 64), 16 * 64 * 128),
    ("InstanceNorm2d", (128, 64, 64), 256),
    ("LeakyReLU", (128, 64, 64), 0),
    ("Conv2d", (256, 32, 32), 16 * 128 * 256),
    ("InstanceNorm2d", (256, 32, 32), 512),
    ("LeakyReLU", (256, 32, 32), 0),
    ("ZeroPad2d", (256, 35, 35), 0),
    ("Conv2d", (512, 32, 32), 16 * 256 * 512),
    ("InstanceNorm2d", (512, 32, 32), 1_024),
    ("LeakyReLU", (512, 32, 32), 0),
    ("ZeroPad2d", (512, 35, 35), 0),
    ("Conv2d", (1, 32, 32), 16 * 512),
]


def pair(size: int, width: int = 2) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return build_translators(NetworkConfig(name="resnet_patchgan", base_width=width), size)


def test_generator_is_the_repositorys() -> None:
    """The authors' PyTorch code has 11,378,179: 10,496 fewer in norms, 5,251 more in biases."""
    generator, _ = pair(256, width=64)
    assert table(generator.to("meta"), torch.empty(1, 3, 256, 256, device="meta")) == GENERATOR_256
    assert parameters(generator) == sum(row[2] for row in GENERATOR_256) == 11_383_424
    assert 11_383_424 - 10_496 + 5_251 == 11_378_179


def test_discriminator_is_the_repositorys() -> None:
    """The authors' PyTorch code has 2,764,737: 1,792 fewer in norms, 961 more in biases."""
    _, discriminator = pair(256, width=64)
    assert table(discriminator.to("meta"), torch.empty(1, 3, 256, 256, device="meta")) == DISCRIMINATOR_256
    assert parameters(discriminator) == sum(row[2] for row in DISCRIMINATOR_256) == 2_765_568
    assert 2_765_568 - 1_792 + 961 == 2_764_737


def test_six_blocks_below_256_px() -> None:
    """Three blocks of 2 * (9 * 256 * 256 + 2 * 256) = 1,180,672 fewer."""
    generator, _ = pair(128, width=64)
    assert parameters(generator) == 11_383_424 - 3 * 1_180_672 == 7_841_408


def test_weights_start_as_in_the_paper() -> None:
    assert [normal_misses(network) for network in pair(128, width=64)] == [[], []]


def test_settings_are_the_repositorys() -> None:
    for network in pair(64):
        assert all(m.eps == 1e-5 and m.affine for m in network.modules() if isinstance(m, nn.InstanceNorm2d))
    assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


def test_a_logit_is_about_70_pixels() -> None:
    """Norms aside, which let every pixel of an image weigh a little."""
    _, discriminator = pair(160)
    for parent in list(discriminator.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(parent, name, nn.Identity())
    image = torch.randn(1, 3, 160, 160, dtype=torch.double, requires_grad=True)
    logits = discriminator.double()(image)
    (gradient,) = torch.autograd.grad(logits[0, 0, 10, 10], image)
    for axis in (2, 3):
        seen = gradient.abs().amax(dim=(0, 1, 5 - axis)).nonzero().flatten()
        assert len(seen) == 70 and seen[-1] - seen[0] == 69


@pytest.mark.parametrize("size", [16, 24, 32, 96])
def test_other_sizes(size: int) -> None:
    generator, discriminator = pair(size)
    images = generator(torch.randn(2, 3, size, size))
    assert images.shape == (2, 3, size, size)
    assert discriminator(images).shape == (2, 1, size // 8, size // 8)


@pytest.mark.parametrize("size", [8, 36])
def test_a_size_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(
        UserError, match=rf"^network resnet_patchgan .* a multiple of 8 from 16 on, not of {size} pixels"
    ):
        pair(size)


def test_a_wrong_shape_is_caught_at_the_door() -> None:
    for network in pair(32):
        with pytest.raises(AssertionError, match="images"):
            network(torch.randn(2, 1, 32, 32))
