"""The simple loss: by hand, and against the Zalo motorbike article's two lines."""

import math

import pytest
import torch

from trainers.config import LossConfig
from trainers.losses import build_loss
from trainers.losses.simple import Simple

LOSS = build_loss(LossConfig(name="simple"))


def test_by_hand() -> None:
    """Logits of ln 3 and -ln 3 are probabilities of 3/4 and 1/4."""
    real = torch.tensor([[math.log(3)], [0.0]])  # 3/4, 1/2: 1/4 and 1/2 from 1
    fake = torch.tensor([[-math.log(3)], [math.log(3)]])  # 1/4, 3/4
    assert isinstance(LOSS, Simple)
    assert LOSS.d_loss(real, fake).item() == pytest.approx((1 / 4 + 1 / 2) / 2 + (1 / 4 + 3 / 4) / 2)
    assert LOSS.g_loss(real, fake).item() == pytest.approx((3 / 4 + 1 / 4) / 2)


def test_the_documents_two_lines() -> None:
    x_r, x_f = torch.randn(2, 64, 1, generator=torch.Generator().manual_seed(0)).double()
    disc_loss = (1 - torch.sigmoid(x_r)) + (torch.sigmoid(x_f) - 0)
    gen_loss = 1 - torch.sigmoid(x_f)
    torch.testing.assert_close(LOSS.d_loss(x_r, x_f), disc_loss.mean())
    torch.testing.assert_close(LOSS.g_loss(x_r, x_f), gen_loss.mean())


def test_gradients_by_hand() -> None:
    """The derivative of a sigmoid is D (1 - D): 3/16 at 3/4, 1/4 at 1/2."""
    real, fake = torch.tensor([[math.log(3)]], requires_grad=True), torch.tensor([[0.0]], requires_grad=True)
    of_real, of_fake = torch.autograd.grad(LOSS.d_loss(real, fake), (real, fake))
    assert (of_real.item(), of_fake.item()) == pytest.approx((-3 / 16, 1 / 4))
    (of_fake,) = torch.autograd.grad(LOSS.g_loss(real, fake), fake)
    assert of_fake.item() == pytest.approx(-1 / 4)


def test_a_sure_d_keeps_its_digits() -> None:
    sure = torch.tensor([[30.0]])
    assert LOSS.d_loss(sure, -sure).item() == pytest.approx(2 * math.exp(-30), rel=1e-5)
    assert LOSS.g_loss(sure, sure).item() == pytest.approx(math.exp(-30), rel=1e-5)
