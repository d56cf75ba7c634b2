"""Means over steps that do not all have the same values."""

import pytest
import torch

from trainers.averages import StepAverages


def test_each_name_is_averaged_over_the_steps_that_have_it() -> None:
    averages = StepAverages()
    averages.add({"d_loss": torch.tensor(1.0), "g_loss": torch.tensor(4.0), "d_updates": 1.0})
    averages.add({"d_loss": torch.tensor(2.0), "d_updates": 1.0})
    averages.add({"g_loss": torch.tensor(8.0), "d_updates": 0.0})
    means = {"d_loss": 1.5, "g_loss": 6.0, "d_updates": 2 / 3}
    assert averages.means() == {**means, "d_loss_variance": 0.25}


def test_the_largest_gradient_norm_is_kept() -> None:
    averages = StepAverages()
    for value in (1.0, 3.0, 2.0):
        averages.add({"grad_norm_d": torch.tensor(value)})
    assert averages.means() == {"grad_norm_d": 2.0, "grad_norm_d_max": 3.0}


def test_a_value_that_is_not_finite_stays_so() -> None:
    averages = StepAverages()
    averages.add({"d_loss": torch.tensor(float("nan"))})
    averages.add({"d_loss": torch.tensor(1.0)})
    assert averages.means()["d_loss"] != averages.means()["d_loss"]


def variance(*losses: float) -> float | None:
    averages = StepAverages()
    for loss in losses:
        averages.add({"d_loss": torch.tensor(loss)})
    averages.add({"g_loss": torch.tensor(9.0)})  # a step without D
    return averages.means().get("d_loss_variance")


def test_the_variance_of_ds_loss() -> None:
    assert variance(1.0, 2.0, 3.0, 6.0) == 3.5  # mean 3; (4 + 1 + 0 + 9) / 4
    assert variance(0.5, 0.5) == 0
    assert variance(1e30, -1e30) == pytest.approx(1e60)  # finite, so it must not end a run as infinite
    assert variance(1.0) is None and variance() is None
    assert variance(1.0, float("nan"), 2.0) is None  # d_loss itself says so
