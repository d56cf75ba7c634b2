"""TPE goes where the one good trial is, and looks everywhere while all are useless."""

from statistics import median
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import Study
from optuna.trial import TrialState, create_trial

from orchestrator.search.near_best import any_learns, near_best
from orchestrator.search.samplers import SeededByTrial, build_sampler, drawn_at_random
from orchestrator.space.sections import SamplerConfig

SPACE = {name: FloatDistribution(0.0, 1.0) for name in ("x", "y")}


def study_of(*values: tuple[float, float], direction: str = "minimize", **more: Any) -> Study:
    """Complete trials, each with x = y and a value."""
    study = optuna.create_study(sampler=build_sampler(SamplerConfig(random_fraction=0), 0), direction=direction)
    for x, value in values:
        study.add_trial(create_trial(params={"x": x, "y": x}, distributions=SPACE, value=value, **more))
    return study


def test_it_draws_near_the_one_that_is_far_better() -> None:
    """60 trials at x near 0.1 came to 140 and more, one at 0.9 to 72. To Optuna's six are good, five of them these."""
    useless = [(0.07 + 0.001 * number, 140 + 0.1 * (number * 7 % 60)) for number in range(60)]
    study = study_of(*useless, (0.9, 72.0))
    drawn = [study.ask(SPACE).params["x"] for _ in range(8)]
    assert median(drawn) > 0.5, drawn


@pytest.mark.parametrize(
    ("values", "count"), [((), None), ((72.0, 142.0, 143.0), 1), ((72.0, 90.0, 91.0), 2), ((0.0, 3.0), None)]
)
def test_those_within_a_quarter_of_the_lowest_are_near(values: tuple[float, ...], count: int | None) -> None:
    assert near_best(study_of(*((0.5, value) for value in values))) == count


def test_of_others_ratios_say_nothing() -> None:
    assert near_best(study_of((0.5, 0.9), (0.5, 0.1), direction="maximize")) is None
    assert near_best(optuna.create_study(directions=["minimize", "minimize"])) is None


def test_cut_trials_and_those_that_break_a_constraint_do_not_count() -> None:
    study = study_of((0.5, 100.0))
    study.add_trial(
        create_trial(
            params={"x": 0.5, "y": 0.5}, distributions=SPACE, state=TrialState.PRUNED, intermediate_values={4: 9.0}
        )
    )
    broken = study.ask(SPACE)
    broken.set_constraint("recall", 1.0)
    study.tell(broken, 20.0)
    assert near_best(study) == 1


def measured_study(*histories: dict[int, float]) -> Study:
    """Trials at x = 0.1 with these values by epoch; they finish with the last."""
    study = optuna.create_study()
    for values in histories:
        more = {"intermediate_values": values, "value": values[max(values)]}
        study.add_trial(create_trial(params={"x": 0.1, "y": 0.1}, distributions=SPACE, **more))
    return study


FLAT = [{1: 150.0 + number, 4: 148.0, 12: 143.0 + number} for number in range(12)]


@pytest.mark.parametrize(
    ("histories", "learns"),
    [
        (FLAT, False),
        ([*FLAT, {1: 116.0}], True),
        ([*FLAT, {1: 155.0, 4: 130.0}], True),
        ([{1: 60.0}], False),
        ([{1: 60.0, 4: 50.0}], True),
        ([], True),
    ],
)
def test_whether_any_trial_has_learned(histories: list[dict[int, float]], learns: bool) -> None:
    assert any_learns(measured_study(*histories)) == learns


def test_the_value_of_a_finished_trial_counts_too() -> None:
    """One of an earlier sweep may have been measured at its end alone, after its first epochs."""
    study = measured_study(*FLAT)
    more = {"intermediate_values": {1: 150.0}, "value": 72.0}
    study.add_trial(create_trial(params={"x": 0.1, "y": 0.1}, distributions=SPACE, **more))
    assert any_learns(study)


def test_of_trials_that_run_only_those_that_count_are_asked() -> None:
    study = measured_study(*FLAT)
    study.ask(SPACE).report(50.0, 1)
    assert not any_learns(study) and any_learns(study, [len(FLAT)])


@pytest.mark.parametrize(
    ("histories", "asked", "share"),
    [(FLAT, None, 0.5), ([*FLAT, {1: 150.0, 12: 72.0}], None, 0.125), (FLAT, 0.25, 0.25)],
)
def test_until_one_learns_every_second_trial_is_drawn_at_random(
    histories: list[dict[int, float]], asked: float | None, share: float
) -> None:
    """Unless the space says how many are."""
    study = measured_study(*histories)
    sampler = study.sampler = build_sampler(SamplerConfig(startup=3, random_fraction=asked), 0)
    assert isinstance(sampler, SeededByTrial)
    for _ in range(16):
        trial = study.ask()
        relative = sampler.infer_relative_search_space(study, study.get_trials()[trial.number])
        assert (relative == {}) == drawn_at_random(trial.number - 3, 0, share)
