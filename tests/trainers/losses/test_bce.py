"""Binary cross-entropy: by hand, against the Edouard99/GAN repository's code, and where the saturating G fails."""

from math import exp, log, log1p

import pytest
import torch
from torch import Tensor, nn

from trainers.config import LossConfig
from trainers.errors import UserError
from trainers.losses import build_loss

REAL, FAKE = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])


def surprise(logit: float) -> float:
    """-log of the probability sigmoid(logit)."""
    return log1p(exp(-logit))


# -log D: real 1, 3, fakes 0, 1; -log(1 - D): fakes 0, 1, which is -log D at 0, -1.
D = (surprise(1) + surprise(3)) / 2 + (log(2) + surprise(-1)) / 2
G = (log(2) + surprise(1)) / 2
SATURATING_G = -(log(2) + surprise(-1)) / 2
# A target t weighs -log D with t and -log(1 - D) with 1 - t: real 0.9; fake 0.2.
SMOOTH_D = (0.9 * (surprise(1) + surprise(3)) + 0.1 * (surprise(-1) + surprise(-3))) / 2 + (
    0.2 * (surprise(0) + surprise(1)) + 0.8 * (surprise(0) + surprise(-1))
) / 2
SMOOTH_G = (0.9 * (surprise(0) + surprise(1)) + 0.1 * (surprise(0) + surprise(-1))) / 2
SMOOTH = {"real_label": 0.9, "fake_label": 0.2}


@pytest.mark.parametrize(
    ("name", "labels", "d", "g"),
    [
        ("bce", {}, D, G),
        ("bce", SMOOTH, SMOOTH_D, SMOOTH_G),
        ("saturating", {}, D, SATURATING_G),
        ("saturating", SMOOTH, SMOOTH_D, SATURATING_G),
    ],
)
def test_values_by_hand(name: str, labels: dict[str, float], d: float, g: float) -> None:
    loss = build_loss(LossConfig(name=name, **labels))
    assert loss.d_loss(REAL, FAKE).item() == pytest.approx(d, rel=1e-6)
    assert loss.g_loss(REAL, FAKE).item() == pytest.approx(g, rel=1e-6)


def document_cross_entropy(probability: Tensor, target: float) -> Tensor:
    """The Edouard99/GAN repository's ``BCEsmooth``."""
    return nn.BCELoss()(probability, torch.full_like(probability, target) * (1 - 0.1) + 0.1 / 2)


def test_it_is_document_004s_smoothed_loss() -> None:
    loss = build_loss(LossConfig(name="bce", real_label=0.95, fake_label=0.05))
    real, fake = torch.randn(9, 1).sigmoid(), torch.randn(9, 1).sigmoid()
    theirs = document_cross_entropy(real, 1) + document_cross_entropy(fake, 0)
    torch.testing.assert_close(loss.d_loss(real.logit(), fake.logit()), theirs)
    torch.testing.assert_close(loss.g_loss(real.logit(), fake.logit()), document_cross_entropy(fake, 1))


def g_gradient(name: str, logit: float) -> float:
    fake = torch.full((1, 1), logit, requires_grad=True)
    build_loss(LossConfig(name=name)).g_loss(torch.zeros(1, 1), fake).backward()
    return fake.grad.item()


@pytest.mark.parametrize("logit", [-50.0, 0.0, 50.0])
def test_where_g_learns(logit: float) -> None:
    """dG/df is D - 1 for bce, whose G learns while D is sure; -D for saturating, whose G then learns nothing."""
    assert g_gradient("bce", logit) == pytest.approx(-1 / (1 + exp(logit)), rel=1e-5, abs=1e-20)
    assert g_gradient("saturating", logit) == pytest.approx(-1 / (1 + exp(-logit)), rel=1e-5, abs=1e-20)


def test_small_losses_keep_their_digits() -> None:
    """A sigmoid and then a log gives 0 at 30 and infinity at -120."""
    d_loss = build_loss(LossConfig(name="bce")).d_loss
    assert d_loss(torch.tensor([[30.0]]), torch.tensor([[-30.0]])).item() == pytest.approx(
        2 * exp(-30), rel=1e-5, abs=0
    )
    assert d_loss(torch.tensor([[-120.0]]), torch.tensor([[120.0]])).item() == pytest.approx(240)


@pytest.mark.parametrize("name", ["bce", "saturating"])
@pytest.mark.parametrize("labels", [{"real_label": 1.5}, {"fake_label": -0.5}, {"real_label": 0.8, "fake_label": -0.8}])
def test_labels_are_probabilities(name: str, labels: dict[str, float]) -> None:
    with pytest.raises(UserError, match=rf"loss {name} .* must lie in \[0, 1\]"):
        build_loss(LossConfig(name=name, **labels))
