"""RaLSGAN: by hand, and against the Zalo motorbike article's code."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainers.config import LossConfig
from trainers.losses import RaLSGAN, build_loss

REAL, FAKE = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])
LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=6)


def document_d(outputR: Tensor, outputF: Tensor, label: float) -> Tensor:
    """The Zalo motorbike article's ``errD``."""
    labels = torch.full((outputR.size(0), 1), label)
    return (
        torch.mean((outputR - torch.mean(outputF) - labels) ** 2)
        + torch.mean((outputF - torch.mean(outputR) + labels) ** 2)
    ) / 2


def document_g(outputR: Tensor, outputF: Tensor, label: float) -> Tensor:
    """The Zalo motorbike article's ``errG``."""
    labels = torch.full((outputR.size(0), 1), label)
    return (
        torch.mean((outputR - torch.mean(outputF) + labels) ** 2)
        + torch.mean((outputF - torch.mean(outputR) - labels) ** 2)
    ) / 2


# real 1, 3 (mean 2); fake 0, 1 (mean 0.5). Relative: real 1 - 0.5, 3 - 0.5 = 0.5, 2.5; fake 0 - 2, 1 - 2 = -2, -1.
# Labels 0.8, -0.8:
#   D: real errors 0.5 - 0.8, 2.5 - 0.8 = -0.3, 1.7: squares 0.09, 2.89, mean 1.49
#      fake errors -2 + 0.8, -1 + 0.8 = -1.2, -0.2: squares 1.44, 0.04, mean 0.74;       (1.49 + 0.74) / 2 = 1.115
#   G: real errors 0.5 + 0.8, 2.5 + 0.8 = 1.3, 3.3: squares 1.69, 10.89, mean 6.29
#      fake errors -2 - 0.8, -1 - 0.8 = -2.8, -1.8: squares 7.84, 3.24, mean 5.54;       (6.29 + 5.54) / 2 = 5.915
# Labels 1, -0.5:
#   D: real -0.5, 1.5: 0.25, 2.25, mean 1.25; fake -1.5, -0.5: 2.25, 0.25, mean 1.25;   1.25
#   G: real 1, 3: 1, 9, mean 5;               fake -3, -2: 9, 4, mean 6.5;              5.75
@pytest.mark.parametrize(
    ("labels", "d", "g"),
    [({}, 1.115, 5.915), ({"fake_label": -0.8}, 1.115, 5.915), ({"real_label": 1.0, "fake_label": -0.5}, 1.25, 5.75)],
)
def test_values_by_hand(labels: dict[str, float], d: float, g: float) -> None:
    loss = build_loss(LossConfig(**labels))
    assert loss.d_loss(REAL, FAKE).item() == pytest.approx(d, rel=1e-6)
    assert loss.g_loss(REAL, FAKE).item() == pytest.approx(g, rel=1e-6)


# Moving one fake logit of n by e moves its own relative value by e and every relative real value by -e/n:
#   dD/df_i = (f_i - mean r + y)/n - mean(r - mean f - y)/n.   f_1: (-1.2 - 0.7)/2 = -0.95, f_2: (-0.2 - 0.7)/2 = -0.45
#   dD/dr_i = (r_i - mean f - y)/n - mean(f - mean r + y)/n.   r_1: (-0.3 + 0.7)/2 = 0.2, r_2: (1.7 + 0.7)/2 = 1.2
def test_gradients_by_hand() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    build_loss(LossConfig()).d_loss(real, fake).backward()
    torch.testing.assert_close(real.grad, torch.tensor([[0.2], [1.2]]))
    torch.testing.assert_close(fake.grad, torch.tensor([[-0.95], [-0.45]]))


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(real=LOGITS, fake=LOGITS, label=st.floats(0.125, 2, width=16))
def test_it_is_document_001(real: list[float], fake: list[float], label: float) -> None:
    n = min(len(real), len(fake))
    r, f = torch.tensor(real[:n])[:, None], torch.tensor(fake[:n])[:, None]
    loss = build_loss(LossConfig(real_label=label))
    torch.testing.assert_close(loss.d_loss(r, f), document_d(r, f, label))
    torch.testing.assert_close(loss.g_loss(r, f), document_g(r, f, label))


def test_its_gradients_are_document_001s() -> None:
    for ours, theirs in ((build_loss(LossConfig()).d_loss, document_d), (build_loss(LossConfig()).g_loss, document_g)):
        real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
        expected = torch.autograd.grad(theirs(real, fake, 0.8), (real, fake))
        torch.testing.assert_close(torch.autograd.grad(ours(real, fake), (real, fake)), expected)


def test_untrained_gradients_push_d_apart_and_g_together() -> None:
    zeros = torch.zeros(4, 1)
    loss = build_loss(LossConfig())
    real, fake = zeros.clone().requires_grad_(), zeros.clone().requires_grad_()
    loss.d_loss(real, fake).backward()
    # At zero both errors are 0.8, and a logit of 4 counts for itself and through the mean: 2 x 0.8 / 4.
    torch.testing.assert_close(real.grad, torch.full((4, 1), -0.4))
    torch.testing.assert_close(fake.grad, torch.full((4, 1), 0.4))
    fake = zeros.clone().requires_grad_()
    loss.g_loss(zeros, fake).backward()
    torch.testing.assert_close(fake.grad, torch.full((4, 1), -0.4))


def test_d_is_content_when_both_lie_at_their_labels() -> None:
    loss = RaLSGAN(real_label=0.8, fake_label=-0.8)
    real, fake = torch.full((3, 1), 5.8), torch.full((3, 1), 5.0)
    assert loss.d_loss(real, fake).item() == pytest.approx(0, abs=1e-10)
    assert loss.g_loss(fake, real).item() == pytest.approx(0, abs=1e-10)


def test_realness_is_zero_midway_between_the_labels() -> None:
    # Relative values 0.5, 2.5 and -2, -1 as above; midway between 1 and -0.5 is 0.25.
    real, fake = RaLSGAN(real_label=1.0, fake_label=-0.5).realness(REAL, FAKE)
    torch.testing.assert_close(real, torch.tensor([[0.25], [2.25]]))
    torch.testing.assert_close(fake, torch.tensor([[-2.25], [-1.25]]))
