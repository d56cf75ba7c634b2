"""What every registered pair of networks promises, at two image sizes, with and without classes."""

from collections.abc import Callable
from copy import deepcopy
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.config import DataConfig, NetworkConfig
from trainers.errors import UserError
from trainers.networks import NETWORKS, TRANSLATORS, build_networks, build_translators
from trainers.networks.dropout import GlobalDropout

pytestmark = pytest.mark.usefixtures("one_thread")

LATENT, WIDTH = 6, 4
SIZES = get_args(DataConfig.model_fields["image_size"].annotation)
COMPARES_BATCH = {"dcgan_pokemon", "wgan_pokemon"}  # D's logits for an image depend on the others

Pair = tuple[nn.Module, nn.Module]


def numbers(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Case:
    """One row at one size.

    Attributes:
        inputs: of G, six of them.
        images: of D, six of them.
        logits: shape of D's output for one image.
    """

    def __init__(self, name: str, size: int, classes: int) -> None:
        self.name, self.size, self.classes = name, size, classes
        self.config = NetworkConfig(name=name, latent_dim=LATENT, base_width=WIDTH)
        self.translates = name in TRANSLATORS
        self.images = numbers(6, 3, size, size).clamp(-1, 1)
        self.inputs = (
            numbers(6, 3, size, size, seed=2).clamp(-1, 1) if self.translates else numbers(6, LATENT + classes)
        )
        self.logits = (1, size // 8, size // 8) if self.translates else (1 + classes,)

    def build(self, seed: int = 0) -> Pair:
        torch.manual_seed(seed)
        if self.translates:
            return build_translators(self.config, self.size)
        return build_networks(self.config, self.size, self.classes)


CASES = [(name, size, classes) for name in NETWORKS for size, classes in ((32, 0), (32, 5), (64, 0))]
CASES += [(name, size, 0) for name in TRANSLATORS for size in (32, 64)]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*request.param)


def test_shapes_and_ranges(case: Case) -> None:
    generator, discriminator = case.build()
    for inputs in (case.inputs, 100 * case.inputs):
        images = generator(inputs)
        assert images.shape == (6, 3, case.size, case.size) and images.dtype == torch.float32
        assert images.abs().max() <= 1
    assert images.std() > 0.01
    logits = discriminator(images)
    assert logits.shape == (6, *case.logits) and logits.isfinite().all()


def test_logits_are_raw(case: Case) -> None:
    """No sigmoid or softmax: nothing holds a D with large weights inside [0, 1]."""
    every = []
    for seed in range(3):
        _, discriminator = case.build(seed)
        with torch.no_grad():
            for parameter in discriminator.parameters():
                parameter.mul_(10)
            every.append(discriminator(case.images))
    for output in torch.cat(every).unbind(1):
        assert output.isfinite().all() and ((output < -1) | (output > 2)).any()


def test_weights_depend_on_the_seed_alone(case: Case) -> None:
    first, again, other = ([p for net in case.build(seed) for p in net.parameters()] for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_no_parameter_is_without_a_gradient(case: Case) -> None:
    generator, discriminator = case.build()
    logits = discriminator(generator(case.inputs))
    (F.softplus(-logits).mean() + F.softplus(discriminator(case.images)).mean()).backward()
    for network in (generator, discriminator):
        assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
        assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_the_discriminator_can_be_penalised(case: Case) -> None:
    """R1, R2 and gradient penalties differentiate it twice."""
    _, discriminator = case.build()
    images = case.images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    assert gradient.any() and gradient.isfinite().all()
    gradient.square().sum().backward()
    weights = {name: p.grad for name, p in discriminator.named_parameters() if name.endswith("weight") and p.ndim > 1}
    assert [name for name, grad in weights.items() if grad is None or not grad.any() or not grad.isfinite().all()] == []


@torch.no_grad()
def test_evaluation_is_deterministic_and_by_image(case: Case) -> None:
    generator, discriminator = case.build()
    discriminator(generator(case.inputs))  # in training once, so that BatchNorm has seen something
    generator.eval(), discriminator.eval()
    images = generator(case.inputs)
    assert torch.equal(images, generator(case.inputs))
    torch.testing.assert_close(images[2:4], generator(case.inputs[2:4]))
    logits, of_two = discriminator(case.images), discriminator(case.images[2:4])
    assert torch.equal(logits, discriminator(case.images))
    if case.name in COMPARES_BATCH:
        assert not torch.allclose(logits[2:4], of_two, atol=1e-5)
    else:
        torch.testing.assert_close(logits[2:4], of_two)


@torch.no_grad()
def test_the_state_dict_says_everything(case: Case) -> None:
    """A checkpoint, and the moving average, hold nothing else."""
    for network, other, inputs in zip(case.build(0), case.build(1), (case.inputs, case.images), strict=True):
        network(inputs)
        copy = deepcopy(network)
        other.load_state_dict(network.state_dict())
        expected = network.eval()(inputs)
        assert torch.equal(other.eval()(inputs), expected)
        assert torch.equal(copy.eval()(inputs), expected)


@torch.no_grad()
def test_memory_order_and_precision_change_little(case: Case) -> None:
    """runtime.channels_last and runtime.precision."""
    for network, inputs in zip(case.build(), (case.inputs, case.images), strict=True):
        expected = network.eval()(inputs)
        order = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
        network.to(memory_format=torch.channels_last)
        torch.testing.assert_close(network(inputs.to(memory_format=order)), expected, rtol=1e-3, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(inputs.to(memory_format=order))
        assert (rounded - expected).std() < 0.1 * expected.std() + 0.01


def norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", [*NETWORKS, *TRANSLATORS])
def test_batchnorm_is_left_out_or_refused_in_a_line(name: str) -> None:
    whole, without = Case(name, 32, 0), Case(name, 32, 0)
    without.config = without.config.model_copy(update={"batchnorm": False})
    pair = whole.build()
    if not any(map(norms, pair)):
        with pytest.raises(UserError) as error:
            without.build()
        assert name in str(error.value) and "network.batchnorm" in str(error.value) and "\n" not in str(error.value)
        return
    bare = without.build()
    for network, stripped, inputs in zip(pair, bare, (whole.inputs, whole.images), strict=True):
        count, lost = (sum(p.numel() for p in net.parameters()) for net in (network, stripped))
        channels = sum(norm.num_features for norm in norms(network))
        # Each lost a scale and a shift per channel; a convolution without a bias got one in place of the shift.
        assert not norms(stripped) and count - 2 * channels <= lost <= count - channels
        assert stripped(inputs).shape == network(inputs).shape
        alone = stripped.train()(inputs[:1]) if name not in COMPARES_BATCH else None
        if alone is not None and not any(isinstance(m, GlobalDropout) for m in stripped.modules()):
            torch.testing.assert_close(alone, stripped(inputs)[:1])  # images no longer depend on one another
    (F.softplus(-bare[1](bare[0](whole.inputs))).mean() + F.softplus(bare[1](whole.images)).mean()).backward()
    for network in bare:
        assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", [*NETWORKS, *TRANSLATORS])
def test_every_size_works_or_is_refused_in_a_line(name: str) -> None:
    for size in SIZES:
        try:
            with torch.device("meta"):
                generator, discriminator = Case(name, size, 0).build()
                images = generator(torch.empty(2, *Case(name, size, 0).inputs.shape[1:]))
                assert images.shape == (2, 3, size, size) and discriminator(images).shape[:2] == (2, 1)
        except UserError as error:
            text = str(error)
            assert size not in (32, 64) and name in text and str(size) in text and "\n" not in text


@pytest.mark.parametrize(
    ("build", "rows", "wrong", "near"),
    [(build_networks, NETWORKS, "dcgna", "dcgan"), (build_translators, TRANSLATORS, "resnet", "resnet_patchgan")],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(
    build: Callable[[NetworkConfig, int], Pair], rows: dict[str, object], wrong: str, near: str
) -> None:
    with pytest.raises(UserError) as caught:
        build(NetworkConfig(name=wrong), 32)
    text = str(caught.value)
    assert repr(wrong) in text and f"did you mean {near}?" in text and "\n" not in text
    assert all(name in text for name in rows)
