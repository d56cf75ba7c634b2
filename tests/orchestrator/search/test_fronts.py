"""Trials that are compared by two objectives: which are best, and who goes on at a rung."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.events import Opened, Started, Submitted
from orchestrator.results.state import SweepState
from orchestrator.search.earlier import count_earlier
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.schedulers.fronts import best
from orchestrator.search.schedulers.ladder import Ladder
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.space.space import Space
from tests.orchestrator.search.test_going_on import OPENED
from tests.orchestrator.search.test_searcher import METRIC, Sweep, space_with
from tests.orchestrator.sweep_helpers import PLAN, epoch
from trainers.run_report import Measurement

POINTS = {"slow": (10.0, 9.0), "fast": (30.0, 1.0), "both": (20.0, 5.0), "near": (21.0, 4.9), "worse": (31.0, 9.5)}


def test_the_first_front_is_best_and_then_the_next() -> None:
    assert best(POINTS, 4) == {"slow", "fast", "both", "near"}
    assert best(POINTS, 5) == set(POINTS)
    assert best(POINTS, 0) == set()


def test_of_a_front_the_ends_stay_and_then_those_with_room_around_them() -> None:
    assert best(POINTS, 2) == {"slow", "fast"}
    front = {"slow": (10.0, 9.0), "near": (11.0, 8.9), "alone": (20.0, 5.0), "fast": (30.0, 1.0)}
    assert best(front, 3) == {"slow", "fast", "alone"}


def test_equal_trials_are_told_apart_by_name() -> None:
    assert best({"b": (1.0, 1.0), "a": (1.0, 1.0), "c": (2.0, 2.0)}, 1) == {"a"}


def test_who_is_cheap_goes_on_though_its_fid_is_worse() -> None:
    ladder = Ladder([1], 2)
    for trial, standing in {"0000": (10.0, 9.0), "0001": (20.0, 9.5), "0002": (30.0, 1.0), "0003": (31.0, 9.6)}.items():
        assert not ladder.reach(trial, 1, standing)
        ladder.wait(trial)
    assert [ladder.promote(), ladder.promote(), ladder.promote()] == ["0000", "0002", None]


def promoting(space: Space, tmp_path: Path, trials: int) -> Promotion:
    """The scheduler of a sweep that has so many trials."""
    sweep = Sweep(tmp_path / "j", space)
    for _ in range(trials):
        sweep.suggest()
    scheduler = build_scheduler(space)
    assert isinstance(scheduler, Promotion)
    scheduler.set_search_properties(METRIC, "min")
    scheduler.second = sweep.searcher.second_objective
    return scheduler


@pytest.mark.parametrize("cost", ["generator_parameters", "device_seconds"])
def test_the_scheduler_learns_costs_from_the_searcher(cost: str, tmp_path: Path) -> None:
    """Trials that measured the same FID: which of the two goes on is a question of their cost alone."""
    space = space_with(
        objectives=["fid", cost],
        sampler={"name": "tpe"},
        scheduler={"name": "asha", "grace_epochs": 4, "reduction_factor": 2},
        search={"network.base_width": {"int": [16, 64], "step": 16}},
        points=[{"network.base_width": 64}, {"network.base_width": 16}],
    )
    scheduler = promoting(space, tmp_path, trials=3)
    state = SweepState(PLAN)
    state.apply(Opened(at=0.0, session=1, **OPENED))
    for name, seconds in (("0001", 80.0), ("0002", 20.0)):
        state.apply(Submitted(at=1.0, session=1, trial=name, params={}, epochs=8, n_fake=2))
        state.apply(Started(at=2.0, session=1, trial=name, gang=0, attempt=1))
        for number in (1, 8):
            state.progress(name, replace(epoch(number), ended=2.0 + seconds * number / 8))
    measured = [Measurement(epoch=4, fid=50.0, name=METRIC, n_fake=2, diversity=0.9)]
    count_earlier(scheduler, METRIC, {"0001": measured, "0002": measured, "earlier/0007": measured}, state)
    for name in ("0001", "0002"):
        assert scheduler.wait(name)
    assert not scheduler.wait("earlier/0007"), "nobody knows what it would cost here"
    assert scheduler.promote() == "0002", "the smaller, or the faster"


def test_the_scheduler_compares_by_a_measured_second_objective(tmp_path: Path) -> None:
    """Trials that measured the same FID: the one with the higher recall goes on."""
    space = space_with(
        objectives=["fid", "recall"],
        sampler={"name": "nsga2"},
        scheduler={"name": "asha", "grace_epochs": 4, "reduction_factor": 2},
    )
    scheduler = promoting(space, tmp_path, trials=2)
    at_rung = Measurement(epoch=4, fid=50.0, name=METRIC, n_fake=2, diversity=0.9)
    recalls = {"0000": 0.3, "0001": 0.6}
    measured = {name: [replace(at_rung, beside={"recall_test_n2_k5": recall})] for name, recall in recalls.items()}
    count_earlier(scheduler, METRIC, measured)
    for name in recalls:
        assert scheduler.wait(name)
    assert scheduler.promote() == "0001"
