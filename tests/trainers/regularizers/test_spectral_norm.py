"""Spectral normalisation: the bound itself, what is left alone, and how it works with the rest of a run."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.regularizers.regularizer_ranks import numbers
from trainers.regularizers import apply_spectral_norm

pytestmark = pytest.mark.usefixtures("one_thread")


class Kernel(nn.Module):
    """Has a parameter of its own, as minibatch discrimination does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(numbers(6, 5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.tanh(x @ self.weight)], dim=1)


def network(scale: float = 10.0) -> nn.Sequential:
    """Images [n, 3, 8, 8] to [n, 1], with weights far from 1."""
    torch.manual_seed(0)
    up, down = nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.Conv2d(4, 6, 4, 2, 1)
    layers = [up, down, nn.BatchNorm2d(6), nn.LeakyReLU(0.2, inplace=True), nn.AvgPool2d(8), nn.Flatten(), Kernel()]
    result = nn.Sequential(*layers, nn.Linear(11, 1))
    with torch.no_grad():
        for parameter in result.parameters():
            parameter.mul_(scale)
    return result


def largest(layer: nn.Module) -> float:
    """Largest singular value of a layer's weight, outputs against all the rest."""
    weight = layer.weight.detach()
    matrix = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
    return float(torch.linalg.svdvals(matrix.flatten(1))[0])


@pytest.fixture
def normed() -> nn.Sequential:
    return apply_spectral_norm(network())


IMAGES = numbers(4, 3, 8, 8)
WEIGHTED = (0, 1, 7)  # ConvTranspose2d, Conv2d, Linear


def test_the_largest_singular_value_becomes_1(normed: nn.Sequential) -> None:
    plain = network()
    assert min(largest(plain[i]) for i in WEIGHTED) > 3
    for _ in range(30):
        normed(IMAGES)
    normed.eval()  # reading a weight in training mode is one more iteration
    for i in WEIGHTED:
        assert largest(normed[i]) == pytest.approx(1, abs=0.01)
        torch.testing.assert_close(normed[i].weight * largest(plain[i]), plain[i].weight, rtol=0.01, atol=0.01)


def test_other_parameters_are_left_alone(normed: nn.Sequential) -> None:
    plain = network()
    names = {name for name, _ in normed.named_parameters()}
    originals = {f"{i}.parametrizations.weight.original" for i in WEIGHTED}
    assert names == {name for name, _ in plain.named_parameters()} - {f"{i}.weight" for i in WEIGHTED} | originals
    for i in (2, 6):
        assert torch.equal(normed[i].weight, plain[i].weight)
    assert all(torch.equal(normed[i].bias, plain[i].bias) for i in WEIGHTED)


def test_it_follows_the_weights_as_they_are_trained(normed: nn.Sequential) -> None:
    optimizer = torch.optim.Adam(normed.parameters(), lr=0.2)
    before = [normed[i].parametrizations.weight.original.clone() for i in WEIGHTED]
    for _ in range(10):
        optimizer.zero_grad()
        # Two passes, then one backward, as D's step does.
        (normed(IMAGES).mean() - normed(IMAGES.flip(0) + 1).mean()).backward()
        optimizer.step()
    for i, old in zip(WEIGHTED, before, strict=True):
        new = normed[i].parametrizations.weight.original
        assert (new - old).norm() > 0.1 * old.norm() and new.grad.norm() > 0
    for _ in range(30):
        normed(IMAGES)
    normed.eval()
    assert [largest(normed[i]) for i in WEIGHTED] == pytest.approx([1, 1, 1], abs=0.01)


def test_state_round_trips(normed: nn.Sequential) -> None:
    for _ in range(3):
        normed(IMAGES)
    torch.manual_seed(1)
    twin = apply_spectral_norm(network(scale=1.0))
    assert not torch.equal(deepcopy(twin)(IMAGES), deepcopy(normed)(IMAGES))
    twin.load_state_dict(normed.state_dict())
    for _ in range(3):  # the iteration continues in the same way
        assert torch.equal(twin(IMAGES), normed(IMAGES))


def test_a_copy_is_a_copy(normed: nn.Sequential) -> None:
    copy = deepcopy(normed)
    with torch.no_grad():
        normed[7].parametrizations.weight.original.neg_()
    assert not torch.equal(copy(IMAGES), normed(IMAGES))
    apart = [a.data_ptr() != b.data_ptr() for a, b in zip(copy.parameters(), normed.parameters(), strict=True)]
    assert all(apart)


def test_channels_last_changes_nothing(normed: nn.Sequential) -> None:
    expected = deepcopy(normed)(IMAGES)
    last = normed.to(memory_format=torch.channels_last)
    assert last[1].parametrizations.weight.original.is_contiguous(memory_format=torch.channels_last)
    assert last[1].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last(IMAGES.contiguous(memory_format=torch.channels_last)), expected)


def test_a_frozen_d_passes_gradients_on(normed: nn.Sequential) -> None:
    """As in G's step."""
    fake, twin = IMAGES.clone().requires_grad_(), IMAGES.clone().requires_grad_()
    thawed = deepcopy(normed)
    thawed(twin).mean().backward()
    normed.requires_grad_(False)
    normed(fake).mean().backward()
    assert fake.grad is not None and torch.equal(fake.grad, twin.grad) and fake.grad.norm() > 0
    assert all(parameter.grad is None for parameter in normed.parameters())
    normed.requires_grad_(True)
    normed(fake).mean().backward()
    assert all(normed[i].parametrizations.weight.original.grad is not None for i in WEIGHTED)


def test_half_precision_is_near(normed: nn.Sequential) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rough = deepcopy(normed)(IMAGES)
    assert (rough - normed(IMAGES)).norm() < 0.05 * normed(IMAGES).norm()
    assert all(parameter.dtype == torch.float32 for parameter in normed.parameters())
