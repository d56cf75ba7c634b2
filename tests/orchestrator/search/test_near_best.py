"""TPE goes where the one good trial is, however many useless ones there are."""

from statistics import median
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import Study
from optuna.trial import TrialState, create_trial

from orchestrator.search.near_best import near_best
from orchestrator.search.samplers import build_sampler
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
