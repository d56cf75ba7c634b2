"""What every registered loss promises."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import trainers.losses
from trainers.config import LossConfig
from trainers.errors import UserError
from trainers.losses import LOSSES, GanLoss, build_loss

NOT_LOSSES = {"__init__", "base", "label_values", "relative"}


@pytest.fixture(params=sorted(LOSSES))
def loss(request: pytest.FixtureRequest) -> GanLoss:
    return build_loss(LossConfig(name=request.param))


@pytest.fixture
def centre(loss: GanLoss) -> float:
    """Where D is undecided: `realness` is the logit less this, or relative."""
    undecided, _ = loss.realness(torch.zeros(2, 1), torch.zeros(2, 1))
    return -undecided[0].item()


def logits(seed: int, shift: float = 0.0, spread: float = 0.1, shape: tuple[int, ...] = (16, 1)) -> Tensor:
    """Those of an untrained D about `shift`: alike for both kinds."""
    return shift + spread * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_every_file_has_a_row() -> None:
    files = {path.stem for path in Path(trainers.losses.__file__).parent.glob("*.py")} - NOT_LOSSES
    built = {type(build_loss(LossConfig(name=name))).__module__.rsplit(".", 1)[1] for name in LOSSES}
    assert files == built


def test_losses_are_finite_scalars_and_the_same_twice(loss: GanLoss) -> None:
    for spread in (0.0, 0.1, 30.0, 1000.0):
        pair = logits(0, spread=spread), logits(1, spread=spread)
        for real, fake in (pair, pair[::-1]):
            for compute in (loss.d_loss, loss.g_loss):
                value = compute(real, fake)
                assert value.shape == () and value.isfinite() and torch.equal(value, compute(real, fake))


def test_gradients_are_finite_however_sure_d_is(loss: GanLoss) -> None:
    for shift in (-1000.0, 1000.0):
        real, fake = logits(0, shift).requires_grad_(), logits(1, -shift).requires_grad_()
        for compute in (loss.d_loss, loss.g_loss):
            gradients = torch.autograd.grad(compute(real, fake), (real, fake), allow_unused=True)
            assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def test_d_wants_real_up_and_fake_down(loss: GanLoss, centre: float) -> None:
    real, fake = logits(0, centre), logits(1, centre)
    base = loss.d_loss(real, fake)
    assert loss.d_loss(real + 0.05, fake) < base < loss.d_loss(real - 0.05, fake)
    assert loss.d_loss(real, fake - 0.05) < base < loss.d_loss(real, fake + 0.05)


def test_g_wants_fake_up(loss: GanLoss, centre: float) -> None:
    real, fake = logits(0, centre), logits(1, centre)
    assert loss.g_loss(real, fake + 0.05) < loss.g_loss(real, fake) < loss.g_loss(real, fake - 0.05)


def test_gradients_reach_every_logit(loss: GanLoss, centre: float) -> None:
    real, fake = logits(0, centre).requires_grad_(), logits(1, centre).requires_grad_()
    of_real, of_fake = torch.autograd.grad(loss.d_loss(real, fake), (real, fake))
    assert of_real.sum() < 0 < of_fake.sum()
    assert (of_real != 0).all() and (of_fake != 0).all()
    (of_fake,) = torch.autograd.grad(loss.g_loss(real.detach(), fake), fake)
    assert of_fake.sum() < 0 and (of_fake != 0).all()


def test_gradients_are_right(loss: GanLoss) -> None:
    real, fake = (logits(seed, shape=(4, 1)).double().requires_grad_() for seed in (0, 1))
    for compute in (loss.d_loss, loss.g_loss):
        assert torch.autograd.gradcheck(compute, (real, fake))


def test_relativistic_says_whether_g_looks_at_real_logits(loss: GanLoss, centre: float) -> None:
    fake = logits(1, centre)
    depends = loss.g_loss(logits(0, centre), fake) != loss.g_loss(logits(2, centre + 0.3, 0.5), fake)
    assert depends.item() == loss.relativistic == type(loss).relativistic


def test_the_batch_is_averaged(loss: GanLoss) -> None:
    real, fake = logits(0), logits(1)
    for compute in (loss.d_loss, loss.g_loss):
        torch.testing.assert_close(compute(real.repeat(3, 1), fake.repeat(3, 1)), compute(real, fake))
        order = torch.arange(15, -1, -1)
        torch.testing.assert_close(compute(real[order], fake[order]), compute(real, fake))


def test_patches_count_as_images_do(loss: GanLoss) -> None:
    """A PatchGAN's ``[B, 1, h, w]``."""
    real, fake = logits(0, shape=(4, 1, 3, 3)), logits(1, shape=(4, 1, 3, 3))
    columns = real.reshape(36, 1), fake.reshape(36, 1)
    for compute in (loss.d_loss, loss.g_loss):
        torch.testing.assert_close(compute(real, fake), compute(*columns))
    for of_patches, of_column in zip(loss.realness(real, fake), loss.realness(*columns), strict=True):
        torch.testing.assert_close(of_patches, of_column.reshape(4, 1, 3, 3))


def test_the_order_of_arguments_matters(loss: GanLoss, centre: float) -> None:
    real, fake = logits(0, centre + 0.3), logits(1, centre - 0.3)
    for compute in (loss.d_loss, loss.g_loss):
        assert not torch.isclose(compute(real, fake), compute(fake, real))
    assert loss.d_loss(real, fake) < loss.d_loss(fake, real)
    assert loss.g_loss(fake, real) < loss.g_loss(real, fake)


def test_realness_tells_them_apart(loss: GanLoss) -> None:
    real, fake = logits(0, 2.0), logits(1, -2.0)
    of_real, of_fake = loss.realness(real, fake)
    assert of_real.shape == of_fake.shape == (16, 1)
    assert of_real.min() > 0 >= of_fake.max()
    torch.testing.assert_close(of_real.argsort(0), real.argsort(0))
    torch.testing.assert_close(of_fake.argsort(0), fake.argsort(0))


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UserError) as caught:
        build_loss(LossConfig(name="ralsgam"))
    text = str(caught.value)
    assert "'ralsgam'" in text and "did you mean ralsgan?" in text and "\n" not in text
    assert all(name in text for name in LOSSES)
