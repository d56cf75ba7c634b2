"""R1, R2 and the gradient penalty: by hand, differentiated, in half precision."""

import contextlib

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.regularizers.regularizer_ranks import judge, numbers, source
from trainers.config import RegularizerConfig
from trainers.regularizers import full_precision, penalised, penalty
from trainers.regularizers.penalties import gradient_penalty, squared_gradients, zero_centred

CPU = torch.device("cpu")
# As images of 1 x 1 x 2, under two discriminators:
#   linear x -> 3 a + 4 b: everywhere the gradient is (3, 4), its square 25, its norm 5
#   curved x -> a^2 + 2 b: the gradient is (2 a, 2), its square 4 a^2 + 4
REAL = torch.tensor([[1.0, 7.0], [2.0, -1.0]]).view(2, 1, 1, 2)
FAKE = torch.tensor([[0.0, 0.0], [3.0, 5.0]]).view(2, 1, 1, 2)


def linear(images: Tensor) -> Tensor:
    return (images.flatten(1) * torch.tensor([3.0, 4.0])).sum(1, keepdim=True)


def curved(images: Tensor) -> Tensor:
    a, b = images.flatten(1).unbind(1)
    return (a.square() + 2 * b)[:, None]


def leaf(images: Tensor) -> Tensor:
    return images.clone().requires_grad_()


def of_curved(**weights: float) -> float:
    config, real, fake = RegularizerConfig(**weights), leaf(REAL), leaf(FAKE)
    return penalty(config, curved, real, fake, curved(real), curved(fake), source()).item()


# Values


def test_each_image_has_its_own_gradient() -> None:
    images = leaf(REAL)
    assert squared_gradients(curved(images), images).tolist() == [8.0, 20.0]  # a = 1 and 2


def test_the_logit_of_an_image_is_the_mean_of_its_patches() -> None:
    images = leaf(REAL)
    patches = torch.stack([curved(images), linear(images)], dim=2)[:, :, None]  # [2, 1, 1, 2]
    # ((2, 2) + (3, 4)) / 2 = (2.5, 3): 15.25; ((4, 2) + (3, 4)) / 2 = (3.5, 3): 21.25
    assert squared_gradients(patches, images).tolist() == [15.25, 21.25]


def test_r1_and_r2_by_hand() -> None:
    images = leaf(REAL)
    assert zero_centred(linear(images), images, 0.4).item() == pytest.approx(0.4 / 2 * 25)
    assert of_curved(r1_gamma=0.5) == pytest.approx(0.5 / 2 * (8 + 20) / 2)
    assert of_curved(r2_gamma=3.0) == pytest.approx(3 / 2 * (4 + 40) / 2)  # a = 0 and 3


def test_gradient_penalty_by_hand() -> None:
    mix = torch.rand(2, 1, 1, 1)
    assert gradient_penalty(linear, REAL, FAKE, mix).item() == pytest.approx((5 - 1) ** 2)
    # a between: 1 x 0.25 + 0 x 0.75 = 0.25 and 2 x 0.75 + 3 x 0.25 = 2.25.
    mix = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1)
    norms = [(4 * a * a + 4) ** 0.5 for a in (0.25, 2.25)]
    expected = sum((norm - 1) ** 2 for norm in norms) / 2
    assert gradient_penalty(curved, REAL, FAKE, mix).item() == pytest.approx(expected)


def test_gradient_penalty_looks_between_real_and_fake() -> None:
    """Along a, from 0 to 1 and from 3 to 2, each image at a place of its own that moves from step to step."""
    seen: list[Tensor] = []

    def watched(images: Tensor) -> Tensor:
        seen.append(images.detach().flatten(1))
        return curved(images)

    random, config = source(), RegularizerConfig(gradient_penalty=1.0)
    for _ in range(200):
        penalty(config, watched, REAL, FAKE, curved(REAL), curved(FAKE), random)
    a, b = torch.stack(seen).unbind(2)  # [200, 2]
    torch.testing.assert_close(b, torch.stack([7 * a[:, 0], 6 * a[:, 1] - 13], dim=1))  # on the lines
    assert a[:, 0].min() < 0.05 and a[:, 0].max() > 0.95 and abs(a[:, 0].mean() - 0.5) < 0.1
    assert a[:, 1].min() < 2.05 and a[:, 1].max() > 2.95 and abs(a[:, 1].mean() - 2.5) < 0.1
    assert torch.corrcoef(a.T)[0, 1].abs() < 0.3


def test_what_is_switched_on_adds_up() -> None:
    parts = {"r1_gamma": 0.5, "r2_gamma": 3.0, "gradient_penalty": 10.0}
    singly = [of_curved(**{name: weight}) for name, weight in parts.items()]
    assert min(singly) > 1
    assert of_curved(**parts) == pytest.approx(sum(singly))
    assert of_curved(gradient_penalty=5.0) == pytest.approx(singly[2] / 2)
    assert of_curved(**parts, penalty_every=16) == pytest.approx(16 * sum(singly))


def test_what_is_off_costs_and_draws_nothing() -> None:
    def unused(images: Tensor) -> Tensor:
        raise AssertionError("no pass is needed")

    config, random = RegularizerConfig(), source()
    assert penalty(config, unused, REAL, FAKE, REAL, FAKE, random).item() == 0
    real, fake = leaf(REAL), leaf(FAKE)
    penalty(RegularizerConfig(r1_gamma=1.0, r2_gamma=1.0), unused, real, fake, curved(real), curved(fake), random)
    assert torch.equal(random.uniform(4), source().uniform(4))


@pytest.mark.parametrize("name", ["r1_gamma", "r2_gamma", "gradient_penalty"])
def test_penalised(name: str) -> None:
    assert not penalised(RegularizerConfig(spectral_norm=True, weight_clip=0.1, diffaugment="color"))
    assert penalised(RegularizerConfig(**{name: 0.1}))


# Derivatives


def weighted(images: Tensor, weight: Tensor) -> Tensor:
    """A D with curvature and a weight: [n, 1, 1, 2] -> [n, 1]."""
    return torch.tanh(images.flatten(1) @ weight).square().sum(1, keepdim=True)


def test_derivatives_of_every_order_are_right() -> None:
    weight = numbers(2, 3).double().requires_grad_()
    images, mix = leaf(0.3 * REAL.double()), torch.tensor([0.2, 0.7]).double().view(2, 1, 1, 1)

    def r1(weight: Tensor, images: Tensor) -> Tensor:
        return zero_centred(weighted(images, weight), images, 2.0)

    def gp(weight: Tensor) -> Tensor:
        return gradient_penalty(lambda x: weighted(x, weight), 0.3 * REAL.double(), 0.3 * FAKE.double(), mix)

    assert torch.autograd.gradcheck(r1, (weight, images)) and torch.autograd.gradgradcheck(r1, (weight, images))
    assert torch.autograd.gradcheck(gp, (weight,)) and torch.autograd.gradgradcheck(gp, (weight,))


def test_gradients_of_r1_by_hand() -> None:
    """For D = w x it is gamma/2 w^2, whose derivative is gamma w."""
    weight, images = torch.tensor([[3.0], [4.0]], requires_grad=True), leaf(REAL)
    zero_centred(images.flatten(1) @ weight, images, 0.4).backward()
    torch.testing.assert_close(weight.grad, torch.tensor([[1.2], [1.6]]))


def test_a_d_without_slope_gives_finite_gradients() -> None:
    """For D = w x it is (norm of w - 1)^2: at w = 0 a square root's derivative would be infinite, times 0."""
    weight = torch.zeros(2, 1, requires_grad=True)
    value = gradient_penalty(lambda x: x.flatten(1) @ weight, REAL, FAKE, torch.rand(2, 1, 1, 1))
    value.backward()
    assert value.item() == 1 and weight.grad is not None and weight.grad.tolist() == [[0.0], [0.0]]


def test_one_backward_serves_loss_and_penalty() -> None:
    """The logits' graph is still there, and the penalty changes nothing in the loss's own gradient."""
    network, real, fake = judge(), numbers(4, 3, 8, 8, seed=1).requires_grad_(), numbers(4, 3, 8, 8, seed=2)
    config = RegularizerConfig(r1_gamma=2.0)

    def gradients(loss: float, share: float) -> list[Tensor]:
        network.zero_grad()
        logits = network(real)
        extra = penalty(config, network, real, fake, logits, logits, source())
        (loss * logits.square().mean() + share * extra).backward()
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]

    both, alone, extra = gradients(1, 1), gradients(1, 0), gradients(0, 1)
    torch.testing.assert_close(both, [a + b for a, b in zip(alone, extra, strict=True)])
    assert all(gradient.abs().max() > 0 for gradient in extra[:3])


# Half precision


MIXED = RegularizerConfig(r1_gamma=100.0, r2_gamma=100.0, gradient_penalty=1.0)


def pair() -> tuple[Tensor, Tensor]:
    return tuple(3 * numbers(4, 3, 8, 8, seed=seed) for seed in (1, 2))


def gradient(network: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def under_autocast(context: contextlib.AbstractContextManager[object]) -> tuple[Tensor, Tensor]:
    """All penalties where bfloat16 is on, the forward passes in `context`; value and gradient."""
    network, (real, fake) = judge(), (images.requires_grad_() for images in pair())
    with torch.autocast("cpu", torch.bfloat16):
        with context:
            real_logits, fake_logits = network(real).float(), network(fake).float()
        value = penalty(MIXED, network, real, fake, real_logits, fake_logits, source())
    value.backward()
    return value.detach(), gradient(network)


def test_penalties_are_computed_in_float32_inside_autocast() -> None:
    network, (real, fake) = judge().double(), (images.double().requires_grad_() for images in pair())
    value = penalty(MIXED, network, real, fake, network(real), network(fake), source())
    value.backward()
    exact, exact_gradient = value.detach(), gradient(network)

    helped, helped_gradient = under_autocast(full_precision(CPU))
    assert abs(helped - exact) < 1e-6 * exact
    assert helped_gradient.isfinite().all()
    assert (helped_gradient - exact_gradient).norm() < 1e-6 * exact_gradient.norm()
    # Without it the forward passes are in bfloat16, and with them R1 and R2: off by 1e-4 and 4e-3 (else 2e-8, 9e-8).
    rough, rough_gradient = under_autocast(contextlib.nullcontext())
    assert abs(rough - exact) > 1e-5 * exact
    assert (rough_gradient - exact_gradient).norm() > 1e-3 * exact_gradient.norm()


def test_half_precision_images_are_refused() -> None:
    images = REAL.bfloat16().requires_grad_()
    with pytest.raises(AssertionError, match=r"float32, not torch\.bfloat16"):
        squared_gradients(images.sum((1, 2, 3)), images)
