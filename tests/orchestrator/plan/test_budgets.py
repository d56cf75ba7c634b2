"""Budget options: parsed, refused and shown."""

from typing import Any

import pytest

from orchestrator.plan.budgets import Budgets, parse_duration, read_budgets
from trainers.errors import UserError

TYPED = {"time": "--time-budget", "gpu_hours": "--max-gpu-hours", "target_fid": "--target-fid"}


def read(**typed: Any) -> Budgets:
    return read_budgets(**{"time": None, "gpu_hours": None, "target_fid": None, "gpus": 1, **typed})


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("30m", 1800), ("1h30m", 5400), ("90s", 90), ("1.5h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("budget", TYPED)
@pytest.mark.parametrize("text", ["0", "0s", "-1", "nan", "inf", "soon", ""])
def test_a_wrong_budget_is_one_clear_line(budget: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        read(**{budget: text})
    assert str(caught.value).startswith(f"{TYPED[budget]} {text!r}: ") and "\n" not in str(caught.value)


def test_gpu_hours_want_gpus() -> None:
    with pytest.raises(UserError, match=r"--max-gpu-hours needs GPUs, .*--time-budget"):
        read(gpu_hours="2", gpus=0)
    assert read(gpu_hours="2", gpus=0.25) == Budgets(gpu_hours=2)


def test_budgets_are_said_in_one_line() -> None:
    assert str(read(time="2h", gpu_hours="2.5", target_fid="40")) == (
        "at most 7200 s, at most 2.5 GPU hours, until FID <= 40"
    )
    assert str(read()) == ""
