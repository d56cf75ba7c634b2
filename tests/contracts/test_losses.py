"""What every registered loss promises."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import trainers.losses
from trainers.config import LossConfig
from trainers.errors import UserError
from trainers.losses import LOSSES, GanLoss, build_loss

NOT_LOSSES = {"__init__", "base"}


@pytest.fixture(params=sorted(LOSSES))
def loss(request: pytest.FixtureRequest) -> GanLoss:
    return build_loss(LossConfig(name=request.param))


def logits(seed: int, spread: float = 0.1, shift: float = 0.0, n: int = 16) -> Tensor:
    """Those of an untrained D: small, and alike for both kinds."""
    return shift + spread * torch.randn(n, 1, generator=torch.Generator().manual_seed(seed))


def test_every_file_has_a_row() -> None:
    files = {path.stem for path in Path(trainers.losses.__file__).parent.glob("*.py")} - NOT_LOSSES
    built = {type(build_loss(LossConfig(name=name))).__module__.rsplit(".", 1)[1] for name in LOSSES}
    assert files == built


def test_losses_are_finite_scalars_and_the_same_twice(loss: GanLoss) -> None:
    for spread in (0.0, 0.1, 30.0):
        real, fake = logits(0, spread), logits(1, spread)
        for compute in (loss.d_loss, loss.g_loss):
            value = compute(real, fake)
            assert value.shape == () and value.isfinite() and torch.equal(value, compute(real, fake))


def test_d_wants_real_up_and_fake_down(loss: GanLoss) -> None:
    real, fake = logits(0), logits(1)
    base = loss.d_loss(real, fake)
    assert loss.d_loss(real + 0.05, fake) < base < loss.d_loss(real - 0.05, fake)
    assert loss.d_loss(real, fake - 0.05) < base < loss.d_loss(real, fake + 0.05)


def test_g_wants_fake_up(loss: GanLoss) -> None:
    real, fake = logits(0), logits(1)
    assert loss.g_loss(real, fake + 0.05) < loss.g_loss(real, fake) < loss.g_loss(real, fake - 0.05)


def test_gradients_reach_every_logit(loss: GanLoss) -> None:
    real, fake = logits(0).requires_grad_(), logits(1).requires_grad_()
    of_real, of_fake = torch.autograd.grad(loss.d_loss(real, fake), (real, fake))
    assert of_real.sum() < 0 < of_fake.sum()
    assert (of_real != 0).all() and (of_fake != 0).all()
    (of_fake,) = torch.autograd.grad(loss.g_loss(real.detach(), fake), fake)
    assert of_fake.sum() < 0 and (of_fake != 0).all()


def test_gradients_are_right(loss: GanLoss) -> None:
    real, fake = (logits(seed, n=4).double().requires_grad_() for seed in (0, 1))
    for compute in (loss.d_loss, loss.g_loss):
        assert torch.autograd.gradcheck(compute, (real, fake))


def test_the_batch_is_averaged(loss: GanLoss) -> None:
    real, fake = logits(0), logits(1)
    for compute in (loss.d_loss, loss.g_loss):
        torch.testing.assert_close(compute(real.repeat(3, 1), fake.repeat(3, 1)), compute(real, fake))
        order = torch.arange(15, -1, -1)
        torch.testing.assert_close(compute(real[order], fake[order]), compute(real, fake))


def test_the_order_of_arguments_matters(loss: GanLoss) -> None:
    real, fake = logits(0, shift=0.3), logits(1, shift=-0.3)
    for compute in (loss.d_loss, loss.g_loss):
        assert not torch.isclose(compute(real, fake), compute(fake, real))
    assert loss.d_loss(real, fake) < loss.d_loss(fake, real)
    assert loss.g_loss(fake, real) < loss.g_loss(real, fake)


def test_realness_tells_them_apart(loss: GanLoss) -> None:
    real, fake = logits(0, shift=2.0), logits(1, shift=-2.0)
    of_real, of_fake = loss.realness(real, fake)
    assert of_real.shape == of_fake.shape == (16, 1)
    assert of_real.min() > 0 >= of_fake.max()
    torch.testing.assert_close(of_real.argsort(0), real.argsort(0))


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UserError) as caught:
        build_loss(LossConfig(name="ralsgam"))
    text = str(caught.value)
    assert "'ralsgam'" in text and "did you mean ralsgan?" in text and "\n" not in text
    assert all(name in text for name in LOSSES)
