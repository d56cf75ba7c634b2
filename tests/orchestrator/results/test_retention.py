"""Whose checkpoints are kept."""

import pytest

from orchestrator.results.retention import default_keep, how_many, kept
from tests.orchestrator.sweep_helpers import ended
from trainers.errors import UserError


def test_what_can_be_asked_for() -> None:
    assert [how_many(keep) for keep in ("all", "best", "top:1", "top:12")] == [None, 1, 1, 12]
    assert [default_keep(top) for top in (0, 1, 3, 10)] == ["top:5", "top:5", "top:6", "top:20"]
    for wrong in ("", "top", "top:0", "top:-1", "top:1.5", "3", "none", "top:9999999999"):
        with pytest.raises(UserError, match=f"--keep-checkpoints '{wrong}': give all, best or top:K"):
            how_many(wrong)


def test_the_winner_comes_first_then_the_lowest_objectives() -> None:
    trials = [ended(f"{number:04d}", "completed", 90.0 - number) for number in range(6)]
    trials.append(ended("0006", "outranked", None))
    assert kept(trials, 2, front=False) == {"0005", "0004"}
    trials[2].confirmed = [70.0]
    assert kept(trials, 1, front=False) == {"0002"}
    assert kept(trials, 2, front=False) == {"0002", "0005"}
    trials[5].refused = "on fresh latents its fakes hardly vary"
    assert kept(trials, 2, front=False) == {"0002", "0004"}
    assert kept(trials[6:], 5, front=False) == set()


def test_a_front_stays_whole() -> None:
    trials = [ended(f"{number:04d}", "completed", 90.0 - number) for number in range(4)]
    for trial, cost in zip(trials, (1.0, 2.0, 9.0, 3.0), strict=True):
        trial.costs = {"device_seconds": cost}
    assert kept(trials, 1, front=True) == {"0003", "0001", "0000"}
