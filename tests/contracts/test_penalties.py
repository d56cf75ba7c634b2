"""Every family penalises D's gradient with respect to the images before augmentation and noise, by the formula."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.contracts.family_cases import BATCH, case_config, fresh_family, global_batch
from trainers.families import FAMILIES, Family
from trainers.families.phases import Computed, StepPlan
from trainers.regularizers import diff_augment

pytestmark = pytest.mark.usefixtures("one_thread")

POLICIES = ("", "color", "translation", "cutout", "color,translation,cutout")
SIGMA = 0.3
SETTINGS: dict[str, dict[str, Any]] = {
    "adversarial": {"loss.name": "bce"},
    "acgan": {"regime.d_updates": "joint"},
    "cyclegan": {},
}
WEIGHTS = {"r1_gamma": 3.0, "r2_gamma": 2.0, "gradient_penalty": 5.0}
Part = tuple[str | None, Tensor, Tensor]  # of D: its key in a ModuleDict; real images, fakes


def build(name: str, sigma: float, **weights: Any) -> tuple[Family, StepPlan]:
    overrides = {f"regularizer.{key}": value for key, value in weights.items()}
    family = fresh_family(case_config(name, {**SETTINGS[name], **overrides}))
    return family, family._decide(0, sigma)


def parts(family: Family) -> list[Part]:
    """Images of each D; the fakes are the real ones upside down."""
    images, *rest = global_batch(family.config)
    pairs = {"a": images, "b": rest[0]} if family.config.family == "cyclegan" else {None: images}
    return [(domain, part, part.flip(2)) for domain, part in pairs.items()]


def computed(family: Family, plan: StepPlan) -> Computed:
    """D's compute phase; its random numbers start anew."""
    family.random.start_epoch(2)
    if family.config.family == "cyclegan":
        real, fake = ({domain: part[which] for domain, *part in parts(family)} for which in (0, 1))
        return family._compute_d(real, fake, plan)  # type: ignore[attr-defined,no-any-return]
    ((_, images, fakes),) = parts(family)
    labels = list(global_batch(family.config)[1:])
    return family._compute_d(images, fakes, labels, plan)  # type: ignore[attr-defined,no-any-return]


def reference(family: Family, plan: StepPlan) -> Tensor:
    """Mescheder et al. 2018 and Gulrajani et al. 2017 with D(T(x)) for D(x), drawing what the family draws."""
    config, random = family.config.regularizer, family.random
    random.start_epoch(2)

    def seen(images: Tensor) -> Tensor:
        augmented = diff_augment(images, config.diffaugment, random)
        return augmented + plan.sigma * random.normal(BATCH, *images.shape[1:]) if plan.sigma else augmented

    def logits(domain: str | None, inputs: Tensor) -> Tensor:
        if domain is None:
            return family.discriminator(inputs)[:, 0]
        return family.discriminator.get_submodule(domain)(inputs).mean((1, 2, 3))

    def squared(outputs: Tensor, images: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(outputs.sum(), images, create_graph=True)
        return slope.square().sum((1, 2, 3))

    total = torch.zeros(())
    for domain, images, fakes in parts(family):
        real, fake = images.clone().requires_grad_(), fakes.clone().requires_grad_()
        if domain is None:
            of_real, of_fake = seen(real), seen(fake)
        else:
            of_fake, of_real = seen(fake), seen(real)
        real_logits, fake_logits = logits(domain, of_real), logits(domain, of_fake)
        total = total + config.r1_gamma / 2 * squared(real_logits, real).mean()
        total = total + config.r2_gamma / 2 * squared(fake_logits, fake).mean()
        if config.gradient_penalty:
            mix = random.uniform(BATCH, 1, 1, 1)
            between = (images * mix + fakes * (1 - mix)).requires_grad_()
            slope = squared(logits(domain, seen(between)), between).sqrt()
            total = total + config.gradient_penalty * (slope - 1).square().mean()
    return total


def test_every_family_is_here() -> None:
    assert set(SETTINGS) == set(FAMILIES)


@pytest.mark.parametrize("sigma", [0.0, SIGMA])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_penalty_is_the_formula(name: str, policy: str, sigma: float) -> None:
    values = []
    for only in WEIGHTS:
        family, plan = build(name, sigma, diffaugment=policy, **{only: WEIGHTS[only]})
        expected = reference(family, plan).item()
        values.append(expected)
        assert computed(family, plan).if_applied["d_penalty"].item() == pytest.approx(expected, rel=1e-4), only
    assert min(values) > 0


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_d_learns_from_the_formula(name: str) -> None:
    """What the penalties add to the gradient of every weight of D."""
    every = {"diffaugment": POLICIES[-1], **WEIGHTS}
    family, plan = build(name, SIGMA, **every)
    reference(family, plan).backward()
    expected = [torch.zeros_like(p) if p.grad is None else p.grad for p in family.discriminator.parameters()]

    def gradients(**weights: Any) -> list[Tensor]:
        family, plan = build(name, SIGMA, diffaugment=POLICIES[-1], **weights)
        computed(family, plan)
        return [p.grad for p in family.discriminator.parameters() if p.grad is not None]

    # Without: all the same passes and draws, in float32.
    with_penalties, without = gradients(**WEIGHTS), gradients(**dict.fromkeys(WEIGHTS, 1e-30))
    norm = torch.cat([e.flatten() for e in expected]).norm()
    for both, alone, wanted in zip(with_penalties, without, expected, strict=True):
        assert (both - alone - wanted).norm() < 1e-4 * norm
    assert norm > 0.1
