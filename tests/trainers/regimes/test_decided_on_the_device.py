"""The monitored regime decides on the device, and trains what a decision on the host trains, bit for bit."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.contracts.family_cases import BATCH, case_config, fresh_family, global_batch
from tests.trainers.trainer_helpers import differing
from trainers.averages import StepAverages
from trainers.distributed import batch_mean
from trainers.engine.descent import Descent
from trainers.regimes.monitored import Monitored

pytestmark = pytest.mark.usefixtures("one_thread")

RATIO = 1.3  # of seven steps D's update is refused in some


class AsksTheHost(Monitored):
    """The same rule with Python's numbers: a refused step never reaches the optimiser."""

    refused = 0
    last: float | None = None

    def allows_d(self, d_loss: Tensor) -> bool:  # type: ignore[override]
        allowed = self.last is None or batch_mean(d_loss.detach()).item() > self.ratio * self.last
        self.refused += not allowed
        return allowed

    def saw_g(self, g_loss: Tensor) -> None:
        self.last = batch_mean(g_loss.detach()).item()

    def state_dict(self) -> dict[str, Any]:
        return {"g_loss": self.last}


def trained(name: str, overrides: dict[str, Any], on_host: bool) -> tuple[dict[str, Any], dict[str, float], int]:
    """State after an epoch of seven steps, means of its metrics, and how many updates of D were refused."""
    family = fresh_family(case_config(name, {"regime.name": "monitored", "regime.monitored_ratio": RATIO, **overrides}))
    if on_host:
        family.regime = AsksTheHost(family.config.regime.monitored_ratio, family.config.regime.g_steps)
    averages = StepAverages()
    for number in range(7):
        batch = global_batch(family.config, seed=number)
        averages.add(family.step(*batch, images_seen=number * BATCH, instance_sigma=0.1))
    return family.state_dict(), averages.means(), getattr(family.regime, "refused", 0)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("adversarial pokemon, monitored", {}),
        ("adversarial", {"optimizer.name": "rmsprop", "regularizer.weight_clip": 0.05}),
        ("adversarial", {"regularizer.weight_clip": 0.05}),
        ("cyclegan relativistic", {"regime.monitored_ratio": 0.8}),
        ("acgan on other networks", {"regularizer.r1_gamma": 0.0}),
    ],
)
def test_it_trains_what_a_decision_of_the_host_trains(name: str, overrides: dict[str, Any]) -> None:
    state, means, _ = trained(name, overrides, on_host=False)
    expected, expected_means, refused = trained(name, overrides, on_host=True)
    assert 0 < refused < 7
    assert differing(state, expected) == []
    assert means.keys() == expected_means.keys()
    assert means["d_updates"] == expected_means["d_updates"] == (7 - refused) / 7
    assert means == pytest.approx(expected_means, rel=1e-6)  # sums of float32 in another order


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.RMSprop])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_refused_update_changes_not_one_bit(optimizer: type[torch.optim.Optimizer], clip: float | None) -> None:
    """Not even a gradient of NaN, nor weights that clipping would change."""
    torch.manual_seed(0)
    network = torch.nn.Linear(5, 4)
    extra = {"fused": True} if optimizer is torch.optim.Adam else {}
    descent = Descent(network, optimizer(network.parameters(), lr=0.1, **extra), grad_clip_norm=1.0, weight_clip=clip)

    def update(scale: float, allowed: Tensor | None) -> None:
        descent.backward(network(torch.ones(3, 5)).square().sum() * scale)
        descent.apply(allowed)

    def kept() -> list[Tensor]:
        values = [value for state in descent.optimizer.state.values() for value in state.values()]
        return [value.clone() for value in (*network.parameters(), *values)]

    fresh = [p.detach().clone() for p in network.parameters()]
    update(1.0, torch.tensor(False))
    assert all(torch.equal(p, old) for p, old in zip(network.parameters(), fresh, strict=True))
    assert not any(value.any() for value in kept()[2:])  # moments of a first step that was refused: none
    update(1.0, torch.tensor(True))
    with torch.no_grad():
        network.bias.add_(3.0)
    before = kept()
    update(float("nan"), torch.tensor(False))
    assert all(torch.equal(new, old) for new, old in zip(kept(), before, strict=True))
    update(1.0, None)
    assert all(not torch.equal(new, old) for new, old in zip(kept(), before, strict=True))


def test_an_epoch_without_any_update_has_no_norm_of_one() -> None:
    averages = StepAverages()
    for _ in range(3):
        averages.add({"d_loss": torch.tensor(1.0), "d_updates": torch.tensor(0.0), "grad_norm_d": torch.tensor(0.0)})
    assert averages.means() == {"d_loss": 1.0, "d_loss_variance": 0.0, "d_updates": 0.0}


def test_norms_are_averaged_over_the_updates_alone() -> None:
    averages = StepAverages()
    for updated, norm in ((1.0, 4.0), (0.0, 0.0), (1.0, 2.0), (0.0, 0.0)):
        values = {"d_loss": torch.tensor(1.0), "d_updates": torch.tensor(updated), "grad_norm_d": torch.tensor(norm)}
        averages.add(values)
    norms = {"grad_norm_d": 3.0, "grad_norm_d_max": 4.0}
    assert averages.means() == {"d_loss": 1.0, "d_loss_variance": 0.0, "d_updates": 0.5, **norms}
