"""Budget options: parsed, refused and shown."""

from typing import Any

import pytest

from orchestrator.plan.budgets import Budgets, parse_duration, read_budgets
from orchestrator.results.prices import Prices
from trainers.errors import UserError

TYPED = {
    "time": "--time-budget",
    "gpu_hours": "--max-gpu-hours",
    "target_fid": "--target-fid",
    "cost": "--max-cost",
}
PRICED = Prices(gpu_hour=1.5, head_hour=0.2)


def read(**typed: Any) -> Budgets:
    nothing: dict[str, Any] = dict.fromkeys(TYPED)
    return read_budgets(**{**nothing, "gpus": 1, "prices": PRICED, **typed})


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


@pytest.mark.parametrize(
    ("gpus", "prices", "cure"),
    [
        (1, Prices(), "the price of a GPU hour is not known: give launch or resume --gpu-price X"),
        (1, Prices(head_hour=0.2), "or set $GAN_SWEEP_GPU_PRICE"),
        (0, Prices(), "the price of its machine is not known: give launch or resume --head-price X"),
        (0, Prices(gpu_hour=1.5), "or set $GAN_SWEEP_HEAD_PRICE"),
    ],
)
def test_money_wants_a_price(gpus: float, prices: Prices, cure: str) -> None:
    with pytest.raises(UserError) as caught:
        read(cost="50", gpus=gpus, prices=prices)
    assert str(caught.value).startswith("--max-cost 50: the price ") and cure in str(caught.value)
    assert read(gpus=gpus, prices=prices) == Budgets(), "nothing is asked of who limits no money"


def test_money_of_some_prices_is_enough() -> None:
    assert read(cost="50", prices=Prices(gpu_hour=1.5)) == Budgets(cost=50)
    assert read(cost="50", gpus=0, prices=Prices(head_hour=0.2)) == Budgets(cost=50)


def test_budgets_are_said_in_one_line() -> None:
    assert str(read(time="2h", gpu_hours="2.5", target_fid="40", cost="50")) == (
        "at most 7200 s, at most 2.5 GPU hours, at most 50.00 USD, until FID <= 40"
    )
    assert str(read()) == ""
