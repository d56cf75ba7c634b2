"""Where a scheduler compares trials, and how far they get on average."""

from typing import Any

from orchestrator.space.load import build_space
from orchestrator.space.rungs import all_rungs, graces, mean_epochs, rungs
from orchestrator.space.sections import SchedulerConfig


def config(**values: Any) -> SchedulerConfig:
    return SchedulerConfig.model_validate({"grace_epochs": 2, "reduction_factor": 2, **values})


def test_rungs_differ_and_lie_before_the_end() -> None:
    assert rungs(1, 3, 16) == [1, 3, 9]
    assert rungs(1, 3, 9) == [1, 3]
    assert rungs(4, 2, 4) == []
    assert rungs(1, 1.5, 8) == [1, 2, 3, 4, 6]
    assert rungs(75, 3, 750) == [75, 225, 675]


def test_all_rungs_of_all_brackets() -> None:
    assert all_rungs(config(name="none"), 9) == all_rungs(config(name="median"), 9) == []
    assert all_rungs(config(), 9) == [2, 8]
    assert all_rungs(config(name="asha_stopping"), 9) == [2, 4, 8]
    assert graces(config(name="hyperband", brackets=2), 9) == [2, 8]
    assert all_rungs(config(name="hyperband", rung_factor=1.5), 9) == [2, 3, 5, 7, 8]


def test_mean_epochs() -> None:
    assert mean_epochs(config(name="none"), 9) == 9
    assert mean_epochs(config(), 9) == 2 + (8 - 2) / 2 + (9 - 8) / 4
    assert mean_epochs(config(grace_epochs=9), 9) == 9
    four = config(grace_epochs=1, rung_factor=3, reduction_factor=4)
    assert mean_epochs(four, 9) == 1 + (3 - 1) / 4 + (9 - 3) / 16


def test_the_default_grace_is_a_tenth_of_the_training() -> None:
    def graced(epochs: int, **scheduler: int) -> int:
        base = {"schedule": {"epochs": epochs, "window_first": 1}}
        return build_space("x", {"base": base, "search": {}, "scheduler": scheduler}).scheduler.grace_epochs

    assert [graced(epochs) for epochs in (750, 50, 3)] == [75, 5, 1]
    assert graced(50, grace_epochs=75) == 75
