"""LSGAN by hand."""

import pytest
import torch

from trainers.config import LossConfig
from trainers.losses import build_loss

REAL, FAKE = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])


# Labels 1, 0:
#   D: real errors 0, 2: squares 0, 4, mean 2; fake errors 0, 1: mean 0.5;               (2 + 0.5) / 2 = 1.25
#   G: fake errors to 1: -1, 0: mean 0.5
# Labels 0.9, -0.1:
#   D: real 0.1, 2.1: 0.01, 4.41, mean 2.21; fake 0.1, 1.1: 0.01, 1.21, mean 0.61;       (2.21 + 0.61) / 2 = 1.41
#   G: fake to 0.9: -0.9, 0.1: 0.81, 0.01, mean 0.41
@pytest.mark.parametrize(("labels", "d", "g"), [({}, 1.25, 0.5), ({"real_label": 0.9, "fake_label": -0.1}, 1.41, 0.41)])
def test_values_by_hand(labels: dict[str, float], d: float, g: float) -> None:
    loss = build_loss(LossConfig(name="lsgan", **labels))
    assert loss.d_loss(REAL, FAKE).item() == pytest.approx(d, rel=1e-6)
    assert loss.g_loss(REAL, FAKE).item() == pytest.approx(g, rel=1e-6)


# D halves the squares, whose derivative is twice the error: the error over n. G does not: twice the error over n.
def test_gradients_by_hand() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    loss = build_loss(LossConfig(name="lsgan"))
    of_real, of_fake = torch.autograd.grad(loss.d_loss(real, fake), (real, fake))
    assert of_real.tolist() == [[0.0], [1.0]] and of_fake.tolist() == [[0.0], [0.5]]
    (of_fake,) = torch.autograd.grad(loss.g_loss(real, fake), fake)
    assert of_fake.tolist() == [[-1.0], [0.0]]


def test_realness_is_zero_midway_between_the_labels() -> None:
    real, fake = build_loss(LossConfig(name="lsgan", real_label=0.8, fake_label=0.2)).realness(REAL, FAKE)
    assert real.tolist() == [[0.5], [2.5]] and fake.tolist() == [[-0.5], [0.5]]
