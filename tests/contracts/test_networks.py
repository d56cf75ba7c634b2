"""What every registered pair of networks promises, at two image sizes."""

import pytest
import torch
from torch import Tensor

from trainers.config import NetworkConfig, TrainConfig
from trainers.errors import UserError
from trainers.families import Adversarial, build_family
from trainers.networks import NETWORKS, build_networks
from trainers.randomness import GlobalRandom

CPU = torch.device("cpu")
LATENT = 6


@pytest.fixture(params=[32, 64])
def size(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> NetworkConfig:
    return NetworkConfig(name=request.param, latent_dim=LATENT, base_width=4)


@pytest.fixture
def stepped(network: NetworkConfig, size: int) -> Adversarial:
    """A family after one D step and one G step."""
    config = TrainConfig.build(
        {"network": network.model_dump()}, {"data.image_size": size, "data.batch_size": 4, "noise.instance_sigma": 0.1}
    )
    random = GlobalRandom(config.seed, CPU)
    random.start_epoch(1)
    family = build_family(config, CPU, random)
    assert family.step(numbers(4, 3, size, size).clamp(-1, 1), images_seen=0, instance_sigma=0.1).isfinite().all()
    return family


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_shapes_and_ranges(network: NetworkConfig, size: int) -> None:
    generator, discriminator = build_networks(network, size)
    for latents in (numbers(5, LATENT), 100 * numbers(5, LATENT)):
        images = generator(latents)
        assert images.shape == (5, 3, size, size) and images.dtype == torch.float32
        assert images.abs().max() <= 1
    assert images.std() > 0.01
    logits = discriminator(images)
    assert logits.shape == (5, 1) and logits.isfinite().all()


def test_logits_are_raw(network: NetworkConfig, size: int) -> None:
    """No sigmoid: nothing holds a D with large weights inside [0, 1]."""
    _, discriminator = build_networks(network, size)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(30)
        logits = discriminator(numbers(16, 3, size, size))
    assert logits.min() < 0 and logits.abs().max() > 1


def test_weights_depend_on_the_seed_alone(network: NetworkConfig, size: int) -> None:
    pairs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        pairs.append([p for net in build_networks(network, size) for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(pairs[0], pairs[1], strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(pairs[0], pairs[2], strict=True))


def test_a_step_leaves_no_parameter_without_a_gradient(stepped: Adversarial) -> None:
    for network in (stepped.generator, stepped.discriminator):
        dead = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        assert dead == []
        assert all(p.requires_grad for p in network.parameters())  # D is thawed again


def test_a_step_moves_both(network: NetworkConfig, size: int, stepped: Adversarial) -> None:
    fresh = build_family(stepped.config, CPU, GlobalRandom(stepped.config.seed, CPU))
    for name in ("generator", "discriminator"):
        before, after = getattr(fresh, name).state_dict(), getattr(stepped, name).state_dict()
        assert [key for key in before if torch.equal(before[key], after[key])] == []


def test_evaluation_is_deterministic_and_by_image(stepped: Adversarial) -> None:
    latents = numbers(6, LATENT)
    images = stepped.generate(latents)
    assert torch.equal(images, stepped.generate(latents))
    torch.testing.assert_close(images[2:4], stepped.generate(latents[2:4]))
    assert stepped.generator.training
    discriminator = stepped.discriminator.eval()
    with torch.no_grad():
        torch.testing.assert_close(discriminator(images)[2:4], discriminator(images[2:4]))


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UserError) as caught:
        build_networks(NetworkConfig(name="dcgna"), 32)
    text = str(caught.value)
    assert "'dcgna'" in text and "did you mean dcgan?" in text and "\n" not in text
    assert all(name in text for name in NETWORKS)
