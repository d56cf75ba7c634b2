"""Minibatch discrimination: a value by hand, its derivatives, and the same on two ranks as on one."""

from copy import deepcopy
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.networks.network_ranks import cases, numbers, run_on_ranks
from trainers.networks.minibatch import MinibatchDiscrimination2d

pytestmark = pytest.mark.usefixtures("one_thread")

Results = dict[str, dict[str, Any]]


def small(size: int = 8, in_channels: int = 3, scale: float = 3) -> MinibatchDiscrimination2d:
    """In double precision, with weights so large that images do not all look alike."""
    torch.manual_seed(0)
    network = MinibatchDiscrimination2d(size=size, in_channels=in_channels, out_channels=2, features=4).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    return network


def test_a_value_by_hand() -> None:
    """Features (v, 2 v) of the top left pixel v: two images are 3 |v - w| apart, so exp(-3 |v - w|) alike."""
    network = MinibatchDiscrimination2d(size=4, in_channels=1, out_channels=1, features=2)
    with torch.no_grad():
        network.reduce.weight.zero_()[0, 0, 0, 0] = 1
        network.tensor.zero_()[0, 0] = torch.tensor([1.0, 2.0])
        network.expand.weight.fill_(2)
        x = torch.rand(3, 1, 4, 4)
        x[:, 0, 0, 0] = torch.tensor([0, log(2) / 3, log(4) / 3])
        y = network(x)
    assert torch.equal(y[:, :1], x)
    expected = 2 * torch.tensor([1 / 2 + 1 / 4, 1 / 2 + 1 / 2, 1 / 4 + 1 / 2])
    torch.testing.assert_close(y[:, 1:], expected.view(3, 1, 1, 1).expand(3, 1, 4, 4))


def test_shapes_and_size() -> None:
    """The Edouard99/GAN repository at 64 px: T is 192 x 128 x 16."""
    network = MinibatchDiscrimination2d(size=32, in_channels=5, out_channels=2)
    assert network(torch.randn(3, 5, 32, 32)).shape == (3, 7, 32, 32)
    assert network.tensor.shape == (192, 128, 16)
    assert network.reduce.weight.shape == (3, 5, 4, 4) and network.expand.weight.shape == (2, 2, 4, 4)
    assert network.reduce.bias is None and network.expand.bias is None
    bound = (6 / (16 * 128 + 16 * 192)) ** 0.5  # xavier, as the repository counts its inputs and outputs
    assert 0.99 * bound < network.tensor.abs().max() <= bound
    with pytest.raises(AssertionError, match="features"):
        network(torch.randn(3, 5, 16, 16))


def test_other_images_matter_and_an_image_alone_has_no_likeness() -> None:
    network, x = small(), 0.3 * numbers(4, 3, 8, 8)
    together = network(x)
    for image, row in zip(x, together, strict=True):
        alone = network(image[None])
        assert torch.equal(alone[0, :3], image) and not alone[0, 3:].any()
        assert row[3:].abs().min() > 0
    changed = x.clone()
    changed[3] += 1
    assert (network(changed)[0, 3:] != together[0, 3:]).all()
    torch.testing.assert_close(network(x.flip(0)), together.flip(0))  # their order does not matter


def test_twins_are_as_alike_as_can_be() -> None:
    network, x = small(), 0.3 * numbers(2, 3, 8, 8)
    features: list[Tensor] = []
    network.expand.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    network(torch.stack([x[0], x[0], x[1]]))
    (likeness,) = features
    assert (likeness[:2] > 1).all() and (likeness[2] < 2).all()
    torch.testing.assert_close(likeness[0], likeness[1])


def test_first_and_second_derivatives() -> None:
    """Gradient penalties differentiate twice."""
    network = small(size=4, in_channels=2)
    x = (0.3 * numbers(3, 2, 4, 4)).requires_grad_()
    inputs = (x, network.tensor, network.reduce.weight)

    def run(x: Tensor, tensor: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(network, {"tensor": tensor, "reduce.weight": weight}, (x,))[:, 2:]

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_it_runs_in_bfloat16() -> None:
    network = small(scale=1).float()
    x = numbers(4, 3, 8, 8).float().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        y = nn.Sequential(nn.Conv2d(3, 3, 1), network)(x)
    assert y.isfinite().all() and y.shape == (4, 5, 8, 8)


@pytest.mark.parametrize("spread", [1e-2, 1e-3])
def test_fakes_that_are_alike_are_compared_in_full(spread: float) -> None:
    """That is where it matters. Inputs are rounded to bfloat16 by the layer before; what follows must lose nothing."""
    torch.manual_seed(0)
    network = MinibatchDiscrimination2d(size=32, in_channels=16, out_channels=2)
    exact = deepcopy(network).double()
    x = (numbers(1, 16, 32, 32).float() + spread * numbers(8, 16, 32, 32, seed=1).float()).bfloat16()
    likeness: list[Tensor] = []
    for module in (network, exact):
        module.expand.register_forward_pre_hook(lambda _, inputs: likeness.append(inputs[0].double()))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(x)
    exact(x.double())
    rounded, expected = likeness
    assert mixed.dtype == torch.bfloat16
    unlike = 7 - expected  # 7 others, each at most 1
    assert unlike.min() > 0
    assert ((rounded - expected).abs() / unlike).max() < 1e-2 * (1e-3 / spread)


@pytest.fixture(scope="module")
def one_rank() -> Results:
    return cases()


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    return run_on_ranks(2, tmp_path_factory.mktemp("networks"))


def test_gather_batch_of_one_rank(one_rank: Results) -> None:
    x, weights, case = numbers(6, 2), numbers(1, 6, 2, seed=1)[0], one_rank["gathered"]
    assert torch.equal(case["batch"], x)
    torch.testing.assert_close(case["gradient"], 3 * x**2 * weights)
    torch.testing.assert_close(case["second"], 36 * x**3 * weights**2)


def test_gather_batch_of_two_ranks(two_ranks: list[Results]) -> None:
    """d/dx of sum over the ranks of w_r x^3 is 3 x^2 (w_0 + w_1); then of its square, 36 x^3 (w_0 + w_1)^2."""
    x, weights = numbers(6, 2), numbers(2, 6, 2, seed=1).sum(0)
    for rank, results in enumerate(two_ranks):
        case, mine = results["gathered"], slice(3 * rank, 3 * rank + 3)
        assert torch.equal(case["batch"], x)
        torch.testing.assert_close(case["gradient"], (3 * x**2 * weights)[mine])
        torch.testing.assert_close(case["second"], (36 * x**3 * weights**2)[mine])


def test_two_ranks_compare_as_one(one_rank: Results, two_ranks: list[Results]) -> None:
    """Outputs, first and second derivatives with respect to images and weights."""
    alone = one_rank["compared"]
    assert alone["tensor"].abs().max() > 1e-3
    for rank, results in enumerate(two_ranks):
        case = results["compared"]
        assert case.keys() == alone.keys()
        for name, value in case.items():
            by_image = name in ("y", "gradient", "x")
            expected = alone[name][3 * rank : 3 * rank + 3] if by_image else alone[name]
            torch.testing.assert_close(value, expected, msg=lambda text, name=name: f"{name}: {text}")
