"""New settings near those of a better trial."""

from collections import Counter
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from orchestrator.search.exploring import explore
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from tests.orchestrator.search.test_searcher import space_with

SEARCH = {
    "optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True},
    "noise.instance_sigma": {"float": [0.0, 0.2]},
    "regime.n_critic": {"int": [1, 5]},
    "regularizer.penalty_every": {"int": [1, 16], "log": True},
    "loss.name": {"choice": ["ralsgan", "hinge"]},
    "network.base_width": {"int": [8, 32], "step": 8},
}
BASE = {"data": {"contrast_low": 0.5, "contrast_high": 1.5}}
PARAMS = {
    "optimizer.lr_g": 1e-3,
    "noise.instance_sigma": 0.1,
    "regime.n_critic": 3,
    "regularizer.penalty_every": 4,
    "loss.name": "hinge",
    "network.base_width": 16,
}


def population(**scheduler: Any) -> Space:
    return space_with(SEARCH, scheduler={"name": "pbt", "grace_epochs": 10, **scheduler})


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.sampled_from([1e-4, 1e-3, 1e-2]), st.integers(1, 5))
def test_what_comes_out_can_be_drawn_and_the_rest_stays(seed: int, resample: float, rate: float, critic: int) -> None:
    space = population(resample=resample)
    found = explore(space, {**PARAMS, "optimizer.lr_g": rate, "regime.n_critic": critic}, Random(seed))
    assert all(space.search[name].contains(value) for name, value in found.items())
    assert (found["loss.name"], found["network.base_width"]) == ("hinge", 16), "they are in the checkpoint"


def test_numbers_are_multiplied_and_whole_ones_move_by_a_step() -> None:
    space, seen = population(resample=0.0, factors=[0.8, 1.2]), Counter[Any]()
    for seed in range(40):
        found = explore(space, PARAMS, Random(seed))
        seen.update((name, round(float(value), 6)) for name, value in found.items() if isinstance(value, int | float))
    assert {value for name, value in seen if name == "optimizer.lr_g"} == {0.0008, 0.0012}
    assert {value for name, value in seen if name == "regime.n_critic"} == {2, 4}
    assert {value for name, value in seen if name == "regularizer.penalty_every"} == {3, 5}
    low = explore(population(resample=0.0, factors=[0.5]), {**PARAMS, "optimizer.lr_g": 1e-4}, Random(0))
    assert low["optimizer.lr_g"] == 1e-4, "the end of its range"


def test_numbers_are_drawn_anew_over_the_whole_range() -> None:
    space = population(resample=1.0)
    drawn = [explore(space, PARAMS, Random(seed)) for seed in range(400)]
    assert Counter(one["regime.n_critic"] for one in drawn).keys() == {1, 2, 3, 4, 5}
    low = sum(float(str(one["optimizer.lr_g"])) < 1e-3 for one in drawn)
    assert 150 < low < 250, "half of a logarithmic range lies below its middle"
    assert Counter(one["regularizer.penalty_every"] for one in drawn).keys() == set(range(1, 17))
    assert explore(space, PARAMS, Random("7 0003 2")) == explore(space, PARAMS, Random("7 0003 2"))


def test_settings_that_do_not_go_together_are_not_tried() -> None:
    space, names = population(resample=1.0), ("data.contrast_low", "data.contrast_high")
    ranges = (build_space("x", {"base": BASE, "search": {name: {"float": [0.5, 1.5]}}}).search for name in names)
    both = space.model_copy(update={"search": {name: one for found in ranges for name, one in found.items()}})
    for seed in range(30):
        both.resolve(explore(both, {"data.contrast_low": 1.0, "data.contrast_high": 1.0}, Random(seed)))
