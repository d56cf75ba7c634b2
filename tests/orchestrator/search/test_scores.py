"""What the Gaussian process learns from trials that were cut, wait at rungs, or failed."""

from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from orchestrator.search.samplers import build_sampler
from orchestrator.search.scores import with_scores
from orchestrator.search.trial_states import FEASIBLE, HEALTHY
from orchestrator.space.sections import SamplerConfig

SPACE = {"x": FloatDistribution(0.0, 1.0)}


def add(study: Study, x: float, **end: Any) -> int:
    study.add_trial(create_trial(params={"x": x}, distributions=SPACE, **end))
    return len(study.trials) - 1


def cut(study: Study, x: float, fids: dict[int, float], healthy: float = FEASIBLE) -> int:
    constraints = {HEALTHY: healthy}
    state = TrialState.PRUNED
    return add(study, x, state=state, intermediate_values=fids, constraints=constraints)


def waiting(study: Study, x: float, fids: dict[int, float]) -> int:
    study.enqueue_trial({"x": x})
    trial = study.ask(SPACE)
    for epoch, fid in fids.items():
        trial.report(fid, epoch)
    return trial.number


def scores(study: Study, measured: set[int]) -> dict[int, float]:
    seen: list[FrozenTrial] = with_scores(study, measured)._get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    assert not any(trial.constraints for trial in seen)
    return {trial.number: float(trial.value or 0.0) for trial in seen}


def test_every_measured_trial_has_a_score_in_the_order_of_ranks() -> None:
    study = optuna.create_study()
    best, worse = add(study, 0.1, value=40.0), add(study, 0.2, value=90.0)
    far, near = cut(study, 0.3, {2: 70.0, 4: 60.0}), cut(study, 0.4, {2: 30.0})
    rung, unmeasured = waiting(study, 0.5, {2: 50.0}), waiting(study, 0.6, {})
    failed, unknown = cut(study, 0.7, {2: 10.0}, healthy=0.8), add(study, 0.8, state=TrialState.FAIL)
    found = scores(study, {rung})
    assert sorted(found, key=lambda number: found[number]) == [best, worse, far, near, rung, failed]
    assert sum(found.values()) == pytest.approx(0), "quantiles of the normal distribution"
    assert unmeasured not in found and unknown not in found
    assert study.trials[rung].state is TrialState.RUNNING, "only the sampler sees it otherwise"


def test_where_all_are_complete_their_values_count() -> None:
    study = optuna.create_study()
    add(study, 0.1, value=40.0)
    waiting(study, 0.5, {})
    assert with_scores(study) is study


def test_several_objectives_have_no_measurements() -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])
    add(study, 0.1, values=[1.0, 2.0])
    assert with_scores(study, {0}) is study


def test_the_model_learns_before_any_trial_is_complete() -> None:
    """All wait at their first rung, and are the better the lower x is: proposals go there."""
    study = optuna.create_study(sampler=build_sampler(SamplerConfig(name="gp", startup=4, random_fraction=0), seed=0))
    numbers = {waiting(study, x / 8, {1: 100 + x}) for x in range(9)}

    def proposed(measured: set[int]) -> float:
        study.sampler.measured = lambda: measured  # type: ignore[attr-defined]
        return float(study.ask(SPACE).params["x"])

    blind = [proposed(set()) for _ in range(4)]
    informed = [proposed(numbers) for _ in range(4)]
    assert max(informed) < 0.2 < max(blind), (informed, blind)
