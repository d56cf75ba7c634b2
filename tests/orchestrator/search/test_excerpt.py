"""What TPE sees of a study with thousands of trials."""

import random
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from orchestrator.search.excerpt import BEST, OTHERS, Excerpter
from orchestrator.search.samplers import SeededByTrial

SPACE = {"x": FloatDistribution(0.0, 1.0)}
MOST = BEST + OTHERS


def study_of(trials: int, running: int = 3) -> Study:
    """A third of the trials is complete, the others were cut; the lower x, the lower the value."""
    study, rng = optuna.create_study(), random.Random(0)
    for number in range(trials):
        x = rng.random()
        end: dict[str, Any] = {"state": TrialState.PRUNED, "intermediate_values": {4: x}}
        if number % 3 == 0:
            end = {"state": TrialState.COMPLETE, "value": x}
        study.add_trial(create_trial(params={"x": x}, distributions=SPACE, **end))
    for _ in range(running):
        study.ask()
    return study


def seen(study: Any) -> list[FrozenTrial]:
    trials: list[FrozenTrial] = study._get_trials(deepcopy=False)
    return trials


def test_all_of_a_short_study() -> None:
    study = study_of(MOST)
    assert Excerpter().of(study, MOST) is study


def test_the_best_and_the_running_ones_stay_and_the_others_take_turns() -> None:
    study = study_of(3 * MOST)
    complete = sorted(study.get_trials(states=[TrialState.COMPLETE]), key=lambda trial: trial.value or 0.0)
    best = {trial.number for trial in complete[:BEST]}
    excerpter, turns = Excerpter(), set[int]()
    for number in range(4):
        numbers = {trial.number for trial in seen(excerpter.of(study, number))}
        assert best | {3 * MOST, 3 * MOST + 1, 3 * MOST + 2} <= numbers
        assert len(numbers) <= MOST + 3
        turns |= numbers
    assert turns == set(range(3 * MOST + 3))


def test_it_does_not_matter_when_the_trials_were_seen() -> None:
    """A sweep that goes on after its driver's death proposes what it would have proposed."""
    study, excerpter = study_of(MOST + 200, running=0), Excerpter()
    for number in range(100):
        x = 0.5 / (number + 1)
        study.add_trial(create_trial(params={"x": x}, distributions=SPACE, value=x))
        excerpter.of(study, number)
    assert seen(excerpter.of(study, 7)) == seen(Excerpter().of(study, 7))


def test_tpe_gets_an_excerpt_and_searches_as_well() -> None:
    sizes: list[int] = []

    class Watched(optuna.samplers.TPESampler):
        def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Any) -> dict[str, Any]:
            sizes.append(len(seen(study)))
            return super().sample_relative(study, trial, search_space)

    study = study_of(3 * MOST, running=0)
    study.sampler = SeededByTrial(Watched(multivariate=True, constant_liar=True), 0)
    proposed = [study.ask().suggest_float("x", 0.0, 1.0) for _ in range(20)]
    assert max(sizes) <= MOST + 20
    assert sum(proposed) / 20 < 0.1
