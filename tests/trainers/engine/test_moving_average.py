"""The moving average of G: its half-life, its ramp-up, and what it averages."""

import pytest
import torch
from torch import nn

from tests.trainers.trainer_helpers import small_config
from trainers.engine.moving_average import ema_decay, update_ema
from trainers.families import build_family
from trainers.families.adversarial import Adversarial
from trainers.randomness import GlobalRandom

CPU = torch.device("cpu")


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(4))


def family(**regime: float | None) -> Adversarial:
    config = small_config({f"regime.{name}": value for name, value in regime.items()})
    random = GlobalRandom(config.seed, CPU)
    random.start_epoch(1)
    return build_family(config, CPU, random)


def images() -> torch.Tensor:
    return torch.rand(32, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    ("halflife", "rampup", "seen", "batch", "decay"),
    [
        (1000, 0.05, 10**6, 1000, 0.5),  # one half-life a step
        (1000, 0.05, 10**6, 500, 0.5**0.5),
        (1000, 0.05, 10_000, 500, 0.5),  # ramp-up: 0.05 x 10,000 is 500
        (1000, 0.05, 20_000, 1000, 0.5),  # where both limits meet
        (10_000, 0.05, 64, 64, 0.5**20),  # the first step forgets the initial weights
        (10_000, 1e-12, 64, 64, 0.0),
    ],
)
def test_decay(halflife: float, rampup: float, seen: int, batch: int, decay: float) -> None:
    assert ema_decay(halflife, rampup, seen, batch) == pytest.approx(decay, rel=1e-12)


def test_half_the_influence_is_gone_after_a_half_life() -> None:
    average, model = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.ones_(average.weight)
    nn.init.zeros_(model.weight)
    for _ in range(10):  # 10 steps of 64 images
        update_ema(average, model, ema_decay(640, 1.0, 10**6, 64))
    assert average.weight.item() == pytest.approx(0.5, rel=1e-6)


def test_parameters_and_statistics_are_averaged_and_counters_copied() -> None:
    average, model = network(), network()
    with torch.no_grad():
        model[1].running_mean.fill_(2)
        model[1].running_var.fill_(5)
        model[1].num_batches_tracked.fill_(7)
    before = {name: value.clone() for name, value in average.state_dict().items()}
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    update_ema(average, model, 0.75)
    for name, value in average.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert value == 7
        else:
            torch.testing.assert_close(value, 0.75 * before[name] + 0.25 * kept[name])
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_the_ends(decay: float) -> None:
    average, model = network(), network()
    expected = {k: v.clone() for k, v in (average if decay else model).state_dict().items() if v.is_floating_point()}
    update_ema(average, model, decay)
    assert all(torch.equal(average.state_dict()[name], value) for name, value in expected.items())


def test_a_step_follows_with_the_images_seen_so_far() -> None:
    """The step's own batch counts as seen: 32 of 96 at a ramp-up of 0.5 is a half-life of 48."""
    trained = family(ema_halflife_images=1000.0, ema_rampup=0.5)
    before = {name: p.clone() for name, p in trained.average.named_parameters()}
    trained.step(images(), images_seen=64, instance_sigma=0.0)
    decay = 0.5 ** (32 / 48)
    for name, p in trained.generator.named_parameters():
        average = dict(trained.average.named_parameters())[name]
        torch.testing.assert_close(average, decay * before[name] + (1 - decay) * p)


def test_the_average_is_what_generates_and_never_trains() -> None:
    trained = family()
    trained.step(images(), images_seen=0, instance_sigma=0.0)
    latents = torch.randn(4, 8)
    with torch.no_grad():
        averaged, own = trained.average(latents), trained.generator.eval()(latents)
    assert torch.equal(trained.generate(latents), averaged) and not torch.allclose(averaged, own, atol=1e-3)
    assert not trained.average.training
    assert not any(p.requires_grad for p in trained.average.parameters())


def test_without_an_average_g_itself_generates() -> None:
    trained = family(ema_halflife_images=None)
    assert trained.average is None and "average" not in trained.state_dict()
    trained.step(images(), images_seen=0, instance_sigma=0.0)
    latents = torch.randn(4, 8)
    generated = trained.generate(latents)
    assert trained.generator.training  # back from eval mode
    with torch.no_grad():
        assert torch.equal(generated, trained.generator.eval()(latents))
