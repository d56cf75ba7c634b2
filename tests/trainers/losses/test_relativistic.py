"""RSGAN, RaSGAN and RaHinge by hand. RaLSGAN has a file of its own."""

from math import exp, log1p

import pytest
import torch

from trainers.config import LossConfig
from trainers.losses import build_loss

REAL, FAKE = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [2.5]])


def surprise(logit: float) -> float:
    """-log of the probability sigmoid(logit)."""
    return log1p(exp(-logit))


# Pairs: 1 - 0 = 1, 3 - 2.5 = 0.5.
# Relative to the other kind's average (real 2, fake 1.25): real -0.25, 1.75; fake -2, 0.5.
#   RaSGAN: D: -log sigmoid of -0.25, 1.75, and of 2, -0.5;  G: of 0.25, -1.75, and of -2, 0.5
#   RaHinge: D: real lack 1.25, 0 to 1, mean 0.625; fakes lack 0, 1.5 to -1, mean 0.75
#            G: fakes lack 3, 0.5 to 1, mean 1.75; real lack 0.75, 2.75 to -1, mean 1.75
VALUES = {
    "rsgan": ((surprise(1) + surprise(0.5)) / 2, (surprise(-1) + surprise(-0.5)) / 2),
    "rasgan": (
        (surprise(-0.25) + surprise(1.75)) / 2 + (surprise(2) + surprise(-0.5)) / 2,
        (surprise(0.25) + surprise(-1.75)) / 2 + (surprise(-2) + surprise(0.5)) / 2,
    ),
    "rahinge": (0.625 + 0.75, 1.75 + 1.75),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_by_hand(name: str) -> None:
    loss, (d, g) = build_loss(LossConfig(name=name)), VALUES[name]
    assert loss.d_loss(REAL, FAKE).item() == pytest.approx(d, rel=1e-6)
    assert loss.g_loss(REAL, FAKE).item() == pytest.approx(g, rel=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_only_differences_of_logits_count(name: str) -> None:
    loss = build_loss(LossConfig(name=name))
    for compute in (loss.d_loss, loss.g_loss):
        torch.testing.assert_close(compute(REAL + 5, FAKE + 5), compute(REAL, FAKE))
        assert not torch.isclose(compute(REAL + 5, FAKE), compute(REAL, FAKE))


@pytest.mark.parametrize("name", VALUES)
def test_realness_is_relative_to_the_other_kinds_average(name: str) -> None:
    real, fake = build_loss(LossConfig(name=name)).realness(REAL, FAKE)
    assert real.tolist() == [[-0.25], [1.75]] and fake.tolist() == [[-2.0], [0.5]]


# Relative values as above. A logit of n = 2 counts for itself, and through the mean for the other kind:
#   real: fakes inside the margin (0.5 alone) 1/2, each real logit's share of their mean 1/2: -1/4;
#         the first real logit (-0.25) is inside, -1/2 more
#   fake: real logits inside (the first) 1/2, share 1/2: 1/4; the second fake (0.5) is inside, 1/2 more
def test_rahinge_gradients_by_hand() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    build_loss(LossConfig(name="rahinge")).d_loss(real, fake).backward()
    assert real.grad.tolist() == [[-0.75], [-0.25]] and fake.grad.tolist() == [[0.25], [0.75]]


def test_rsgan_knows_who_is_paired_with_whom() -> None:
    loss = build_loss(LossConfig(name="rsgan"))
    # Crosswise: 1 - 2.5 = -1.5, 3 - 0 = 3.
    assert loss.d_loss(REAL, FAKE.flip(0)).item() == pytest.approx((surprise(-1.5) + surprise(3)) / 2, rel=1e-6)
    with pytest.raises(AssertionError, match=r"\(2, 1\), \(1, 1\)"):
        loss.d_loss(REAL, FAKE[:1])
