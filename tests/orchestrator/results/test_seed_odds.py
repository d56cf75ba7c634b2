"""What a few training seeds may say of two settings."""

import numpy as np
import pytest

from orchestrator.results.seed_odds import CLEAR, odds_of, probability_of_less
from tests.orchestrator.sweep_helpers import repeated

SWEEPS = 2000


def share_told_apart(
    settings: int, seeds: int, lower: float = 0.0, sweeps: int = SWEEPS, bad: float = 0.0, worse: float = 20.0
) -> float:
    """Of simulated sweeps, how many give their winner more than `CLEAR`.

    One setting is `lower` by so many training deviations. Of all trainings the share `bad` goes badly.
    """
    random, told = np.random.default_rng([settings, seeds]), 0
    for _ in range(sweeps):
        values = random.standard_normal((settings, seeds)) + worse * (random.random((settings, seeds)) < bad)
        values[0] -= lower
        ranked = sorted(values, key=np.mean)
        told += probability_of_less(ranked[0], ranked[1], ranked[2:], seed=int(random.integers(2**32))) > CLEAR
    return told / sweeps


@pytest.fixture
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.results.seed_odds.DRAWS", 1000)


@pytest.mark.parametrize("settings", [2, 3, 4, 5])
@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
def test_equal_settings_are_not_told_apart(settings: int, seeds: int, fewer_draws: None) -> None:
    assert share_told_apart(settings, seeds) <= 0.06


@pytest.mark.parametrize("settings", [2, 3, 5])
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("bad", [0.2, 0.5])
def test_nor_are_those_whose_trainings_go_well_or_badly(
    settings: int, seeds: int, bad: float, fewer_draws: None
) -> None:
    assert share_told_apart(settings, seeds, bad=bad) <= 0.06


def test_two_seeds_call_nobody_better(fewer_draws: None) -> None:
    assert share_told_apart(2, 2, bad=0.5) > 0.1, "two good ones against two bad ones"
    odds = odds_of([repeated("0000", 60.0, 60.0, 60.1), repeated("0001", 50.0, 90.0, 90.1)])
    assert odds is not None and odds.probability is not None and odds.probability > CLEAR
    assert not odds.is_clear and str(odds).endswith("they cannot be told apart by 2 training seeds each")


@pytest.mark.parametrize("settings", [2, 5])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_settings_four_deviations_apart_are_told_apart_in_most_sweeps(
    settings: int, seeds: int, fewer_draws: None
) -> None:
    assert share_told_apart(settings, seeds, lower=4.0, sweeps=400) > (0.5 if seeds == 2 else 0.9)


def test_without_any_difference_it_is_even() -> None:
    assert probability_of_less([60.0, 60.0], [60.0, 60.0]) == 0.5
    assert probability_of_less([60.0, 62.0], [60.0, 62.0]) == 0.5
    assert probability_of_less([60.0, 60.0], [61.0, 61.0]) == 1.0


def test_the_sentence() -> None:
    clear = odds_of([repeated("0000", 60.0, 60.0, 61.0, 62.0), repeated("0001", 50.0, 90.0, 91.0, 92.0)])
    assert clear is not None and clear.is_clear and str(clear).startswith("0000 has a lower mean over training seeds")
    level = odds_of([repeated("0000", 60.0, 60.0, 61.0, 62.0), repeated("0001", 50.0, 60.5, 61.5, 62.5)])
    assert level is not None and not level.is_clear and str(level).endswith("they cannot be told apart")


def test_where_no_probability_can_be_said_a_sentence_says_why() -> None:
    one, other = repeated("0000", 60.0, 60.0), repeated("0001", 50.0, 70.0)
    found = odds_of([one, other])
    assert found is not None and found.probability is None and "takes 2 training seeds of each" in str(found)
    alone = odds_of([repeated("0000", 60.0, 60.0, 61.0)])
    assert alone is not None and str(alone) == "no other setting was trained again"
    assert odds_of([repeated("0000", 60.0)]) is None
    broken = odds_of([repeated("0000", 60.0, 80.0, 81.0), repeated("0001", 50.0, 60.0, 61.0, None)])
    assert broken is not None and str(broken) == "0000 ranks before 0001 since 1 of 3 training seeds of that failed"
