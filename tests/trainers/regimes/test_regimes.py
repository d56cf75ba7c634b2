"""Which updates each regime makes, against the Edouard99/GAN repository's table and the MLDS HW4 report's ratio."""

from collections.abc import Iterable

import pytest
import torch

from trainers.config import RegimeConfig
from trainers.errors import UserError
from trainers.randomness import GlobalRandom
from trainers.regimes import REGIMES, Regime, Updates, build_regime

CPU = torch.device("cpu")


class Draws(GlobalRandom):
    """Returns given numbers, so that a test can choose the rare rows of the table."""

    def __init__(self, numbers: Iterable[float]) -> None:
        super().__init__(0, CPU)
        self._numbers = iter(numbers)

    def chance(self) -> float:
        return next(self._numbers)


def regime(name: str, **values: float) -> Regime:
    return build_regime(RegimeConfig.model_validate({"name": name, **values}))


def updates(regime: Regime, count: int, random: GlobalRandom | None = None) -> list[Updates]:
    random = random or GlobalRandom(0, CPU)
    return [regime.next(iteration, random) for iteration in range(count)]


def test_classic_trains_g_as_often_as_it_is_told() -> None:
    assert updates(regime("classic", g_steps=2), 3) == [Updates(d=True, g_steps=2)] * 3


def test_n_critic_counts_over_the_whole_run() -> None:
    made = updates(regime("n_critic", n_critic=3), 9)
    assert all(update.d for update in made)
    assert [update.g_steps for update in made] == [1, 0, 0] * 3


def test_monitored_holds_back_a_d_that_is_ahead() -> None:
    monitored = regime("monitored", monitored_ratio=0.8)
    assert monitored.allows_d(torch.tensor(0.0))  # the first iteration, as in the repository's code
    monitored.saw_g(torch.tensor(1.0))
    assert monitored.allows_d(torch.tensor(0.81)) and not monitored.allows_d(torch.tensor(0.79))
    monitored.saw_g(torch.tensor(0.5))
    assert monitored.allows_d(torch.tensor(0.41))
    resumed = regime("monitored", monitored_ratio=0.8)
    resumed.load_state_dict(monitored.state_dict())
    assert not resumed.allows_d(torch.tensor(0.39)) and resumed.allows_d(torch.tensor(0.41))


NORMAL, NOISY = Updates(d=True, g_steps=1), Updates(d=True, g_steps=1, swapped=True)
ONLY_D, ONLY_G = Updates(d=True, g_steps=0), Updates(d=False, g_steps=1)


@pytest.mark.parametrize(
    ("k", "first", "length"),
    [
        (0.0, ONLY_G, 100),
        (0.00009, ONLY_G, 100),
        (0.00011, ONLY_D, 100),
        (0.00099, ONLY_D, 100),
        (0.00101, NORMAL, 1),
        (0.5, NORMAL, 1),
        (0.92999, NORMAL, 1),
        (0.93, NOISY, 1),
        (0.99999, NOISY, 1),
    ],
)
def test_boosted_is_document_004s_table(k: float, first: Updates, length: int) -> None:
    """k decides one iteration, or 100 including its own; then the next number counts."""
    after = NOISY if first == NORMAL else NORMAL
    random = Draws([k, 0.95 if first == NORMAL else 0.5])
    assert updates(regime("boosted"), length + 1, random) == [first] * length + [after]


def test_a_boost_goes_on_after_a_resume() -> None:
    boosted = regime("boosted")
    updates(boosted, 40, Draws([0.0005]))
    resumed = regime("boosted")
    resumed.load_state_dict(boosted.state_dict())
    assert updates(resumed, 61, Draws([0.5])) == [ONLY_D] * 60 + [NORMAL]


def test_boosted_swaps_seven_in_a_hundred() -> None:
    random = GlobalRandom(1, CPU)
    random.start_epoch(1)
    normal = [update for update in updates(regime("boosted"), 20_000, random) if update.d and update.g_steps]
    assert 0.06 < sum(update.swapped for update in normal) / len(normal) < 0.08


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UserError, match=r"unknown regime\.name 'n_critc': did you mean n_critic\?") as caught:
        regime("n_critc")
    assert all(name in str(caught.value) for name in REGIMES)
