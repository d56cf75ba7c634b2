"""Means over steps that do not all have the same values."""

import torch

from trainers.averages import StepAverages


def test_each_name_is_averaged_over_the_steps_that_have_it() -> None:
    averages = StepAverages()
    averages.add({"d_loss": torch.tensor(1.0), "g_loss": torch.tensor(4.0), "d_updates": 1.0})
    averages.add({"d_loss": torch.tensor(2.0), "d_updates": 1.0})
    averages.add({"g_loss": torch.tensor(8.0), "d_updates": 0.0})
    assert averages.means() == {"d_loss": 1.5, "g_loss": 6.0, "d_updates": 2 / 3}


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
