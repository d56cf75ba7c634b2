"""The critic by hand."""

import pytest
import torch

from trainers.config import LossConfig
from trainers.losses import build_loss

LOSS = build_loss(LossConfig(name="wasserstein"))
REAL, FAKE = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])


def test_values_by_hand() -> None:
    # Means 2 and 0.5.
    assert LOSS.d_loss(REAL, FAKE).item() == pytest.approx(-1.5)
    assert LOSS.g_loss(REAL, FAKE).item() == pytest.approx(-0.5)


def test_gradients_by_hand() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    of_real, of_fake = torch.autograd.grad(LOSS.d_loss(real, fake), (real, fake))
    assert of_real.tolist() == [[-0.5], [-0.5]] and of_fake.tolist() == [[0.5], [0.5]]
    (of_fake,) = torch.autograd.grad(LOSS.g_loss(real, fake), fake)
    assert of_fake.tolist() == [[-0.5], [-0.5]]


def test_only_differences_of_scores_mean_anything() -> None:
    """The midpoint of the means is 1.25, and moves with the scores."""
    for shift in (0.0, 100.0):
        real, fake = LOSS.realness(REAL + shift, FAKE + shift)
        assert real.tolist() == [[-0.25], [1.75]] and fake.tolist() == [[-1.25], [-0.25]]
