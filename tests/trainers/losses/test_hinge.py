"""Hinge by hand."""

import pytest
import torch

from trainers.config import LossConfig
from trainers.losses import build_loss

LOSS = build_loss(LossConfig(name="hinge"))
REAL, FAKE = torch.tensor([[0.5], [3.0]]), torch.tensor([[-2.0], [0.25]])


def test_values_by_hand() -> None:
    # Real 0.5 lacks 0.5 to 1, and 3 nothing: mean 0.25. Fake -2 lacks nothing to -1, and 0.25 lacks 1.25: mean 0.625.
    assert LOSS.d_loss(REAL, FAKE).item() == pytest.approx(0.875)
    assert LOSS.g_loss(REAL, FAKE).item() == pytest.approx(0.875)  # -(-2 + 0.25) / 2


def test_only_logits_inside_the_margin_teach_d() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    of_real, of_fake = torch.autograd.grad(LOSS.d_loss(real, fake), (real, fake))
    assert of_real.tolist() == [[-0.5], [0.0]] and of_fake.tolist() == [[0.0], [0.5]]
    (of_fake,) = torch.autograd.grad(LOSS.g_loss(real, fake), fake)
    assert of_fake.tolist() == [[-0.5], [-0.5]]
