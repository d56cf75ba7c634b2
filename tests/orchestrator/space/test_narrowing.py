"""Ranges that are narrowed to where earlier trials were good."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from orchestrator.space.domains import Choice, Domain, FloatRange, IntRange, Value
from orchestrator.space.load import build_space, space_as_yaml
from orchestrator.space.narrowing import Narrowing, narrow, narrowed_again, narrowed_domain
from orchestrator.space.space import Space
from trainers.errors import UserError

SPACE: dict[str, Any] = {
    "base": {"optimizer": {"lr_g": 1e-3}, "regime": {"monitored_ratio": 0.3}},
    "search": {
        "optimizer.lr_g": {"float": [1e-5, 1e-1], "log": True},
        "regime.name": {"choice": ["classic", "monitored"]},
        "regime.monitored_ratio": {"float": [0.1, 0.5], "when": {"regime.name": "monitored"}},
    },
}
GOOD: list[dict[str, Value]] = [{"optimizer.lr_g": rate, "regime.name": "classic"} for rate in (3e-3, 2e-3, 4e-3, 5e-3)]


def space(**parts: Any) -> Space:
    return build_space("x", {**SPACE, **parts})


@pytest.mark.parametrize(
    ("domain", "values", "expected"),
    [
        (FloatRange(float=(0.0, 1.0)), [0.4, 0.5, 0.6], (0.375, 0.625)),  # a quarter of the margin is of the range
        (FloatRange(float=(0.0, 1.0)), [0.0, 0.5, 1.0], (0.0, 1.0)),  # the ends stay where they are
        (FloatRange(float=(0.0, 1.0)), [0.9, 0.98], (0.875, 1.0)),
        (FloatRange(float=(-2.0, 2.0)), [-1.0, -1.0], (-1.1, -0.9)),  # all are one
        (FloatRange(float=(0.0, 1.0)), [0.2, 0.7], (0.15, 0.75)),  # a tenth of the box
        (FloatRange(float=(1e-4, 1.0), log=True), [1e-3, 1e-1], (6.3e-4, 0.159)),  # 2 decades, and 0.2 on each side
        (IntRange(int=(0, 100), step=10), [30, 50], (20, 60)),  # on its grid
        (IntRange(int=(5, 105), step=10), [35, 35, 35], (25, 45)),
        (IntRange(int=(1, 3)), [1, 1], (1, 2)),
        (IntRange(int=(1, 1024), log=True), [16, 64], (13, 77)),
    ],
)
def test_ranges_hold_the_values_and_a_margin(domain: Any, values: list[Value], expected: tuple[float, float]) -> None:
    now = narrowed_domain(domain, values)
    assert not isinstance(now, Choice)
    assert now.bounds == pytest.approx(expected, rel=2e-2)
    assert all(now.contains(value) for value in values)
    type(now).model_validate(now.model_dump(by_alias=True))  # it is a valid range, on its grid
    low, high = domain.bounds
    assert all(low < value < high or value in domain.bounds for value in now.bounds)


def test_the_best_is_never_at_an_edge_that_was_not_the_ranges_own() -> None:
    wide = IntRange(int=(0, 1000), step=50)
    for value in wide.every():
        now = narrowed_domain(wide, [value])
        assert isinstance(now, IntRange) and isinstance(value, int)
        assert now.bounds[0] < value or value == 0
        assert value < now.bounds[1] or value == 1000


def test_choices_keep_what_occurs_in_their_own_order() -> None:
    choice = Choice(choice=("a", None, "b"))
    assert narrowed_domain(choice, ["b", None, "b"]) == Choice(choice=(None, "b"))


def test_a_key_that_cannot_exist_any_longer_is_gone() -> None:
    now, narrowing = narrow(space(), GOOD, share=0.2, trials=20)
    assert list(now.search) == ["optimizer.lr_g", "regime.name"]
    assert now.search["regime.name"] == Choice(choice=("classic",))
    assert list(narrowing.search) == ["optimizer.lr_g", "regime.name", "regime.monitored_ratio"]
    assert narrowing.search["regime.monitored_ratio"]["float"] == [0.1, 0.5]


def test_conditions_name_what_is_left() -> None:
    search = {
        "regime.name": {"choice": ["classic", "monitored", "n_critic"]},
        "optimizer.lr_g": {"float": [1e-5, 1e-1], "log": True, "when": {"regime.name": ["classic", "monitored"]}},
    }
    good: list[dict[str, Value]] = [{"regime.name": "classic", "optimizer.lr_g": 3e-3}] * 3 + [
        {"regime.name": "n_critic"}
    ]
    now, _ = narrow(space(search=search), good, share=1, trials=4)
    assert now.search["optimizer.lr_g"].when == {"regime.name": ("classic",)}
    wide: Domain = now.search["optimizer.lr_g"]
    assert isinstance(wide, FloatRange) and wide.bounds == (1e-5, 1e-1), "three values say nothing of a range"


def test_the_start_and_points_outside_are_kept_out() -> None:
    points: list[dict[str, Value]] = [{"optimizer.lr_g": 2.5e-3}, {"optimizer.lr_g": 5e-5}]
    now, narrowing = narrow(space(points=points), GOOD, share=0.2, trials=20)
    assert narrowing.base == {"optimizer.lr_g": 1e-3} and now.base.optimizer.lr_g == 3e-3
    assert now.known_points()[0] == GOOD[0], "the best earlier trial, which is not tried again"
    assert [dict(point) for point in now.points] == points[:1] and narrowing.points == points


def test_a_start_inside_stays() -> None:
    good: list[dict[str, Value]] = [
        {**params, "optimizer.lr_g": rate} for params, rate in zip(GOOD, (5e-4, 1e-3, 2e-3, 3e-3), strict=True)
    ]
    now, narrowing = narrow(space(), good, share=0.2, trials=20)
    assert narrowing.base == {} and now.base.optimizer.lr_g == 1e-3 and narrowing.points == []


def test_three_good_trials_say_nothing() -> None:
    with pytest.raises(UserError) as caught:
        narrow(space(), GOOD[:3], share=0.2, trials=15)
    assert str(caught.value) == (
        "--narrow 0.2: of 15 earlier trials that fit, the best 20% are 3 with an objective: it takes 4 to say in which "
        "ranges they lie"
    )


def test_a_sweep_that_goes_on_has_the_ranges_of_its_launch() -> None:
    before = space(points=[{"optimizer.lr_g": 5e-5}])
    now, narrowing = narrow(before, GOOD, share=0.2, trials=20)
    kept = Narrowing(**json.loads(json.dumps(asdict(narrowing))))
    definition = json.loads(json.dumps(space_as_yaml(now)))
    assert space_as_yaml(narrowed_again(before, kept, definition)) == space_as_yaml(now)
    other = space(search={**SPACE["search"], "optimizer.lr_g": {"float": [1e-4, 1e-1], "log": True}})
    assert narrowed_again(other, kept, definition) == other, "a range that was changed by hand is seen"
