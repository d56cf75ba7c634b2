"""Descent: gradients, then an update with them, or none."""

import pytest
import torch
from torch import nn

from trainers.config import OptimizerConfig
from trainers.engine.descent import Descent
from trainers.engine.optimizers import build_optimizer


def descent(name: str = "adam", **limits: float | None) -> Descent:
    """Descent of y = 3 a + 4 b, whose gradient is (3, 4), from (1, 1)."""
    network = nn.Linear(2, 1, bias=False)
    nn.init.ones_(network.weight)
    optimizer = build_optimizer(network, OptimizerConfig(name=name), 0.1)
    return Descent(network, optimizer, **{"grad_clip_norm": None, **limits})


def loss(way: Descent) -> torch.Tensor:
    return way.network(torch.tensor([3.0, 4.0])).sum()


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_an_update_goes_down_and_says_how_steep_it_was(name: str) -> None:
    way = descent(name)
    before = loss(way)
    way.backward(before)
    assert way.network.weight.tolist() == [[1, 1]]  # not yet
    assert way.apply().item() == pytest.approx(5)
    assert loss(way) < before


def test_gradients_do_not_add_up() -> None:
    way = descent()
    for _ in range(2):
        way.backward(loss(way))
    assert way.network.weight.grad.tolist() == [[3, 4]]


def test_what_is_dropped_leaves_no_trace() -> None:
    way = descent()
    way.backward(loss(way))
    way.drop()
    assert way.network.weight.tolist() == [[1, 1]] and way.network.weight.grad is None
    assert not way.optimizer.state


def test_a_limit_holds_for_what_is_applied_and_not_for_what_is_said() -> None:
    way = descent(grad_clip_norm=1.0)
    way.backward(loss(way))
    assert way.apply().item() == pytest.approx(5)
    torch.testing.assert_close(way.network.weight.grad, torch.tensor([[0.6, 0.8]]))


def test_weights_are_clipped_after_the_update() -> None:
    way = descent(weight_clip=0.5)
    way.backward(loss(way))
    way.apply()
    assert way.network.weight.tolist() == [[0.5, 0.5]]
