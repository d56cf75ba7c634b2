"""How trials compare that have got differently far, and a study of which a sampler sees only some of them."""

import math
from collections.abc import Container, Sequence
from copy import copy
from statistics import NormalDist
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class StudyView:
    """A study whose trials a sampler sees as they are given; everything else is the study's own."""

    def __init__(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        self._study, self._trials = study, trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = False, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        assert not deepcopy
        return [trial for trial in self._trials if states is None or trial.state in states]


def broken(trial: FrozenTrial) -> float:
    """By how much a trial breaks constraints; 0 where it keeps them all."""
    return sum(max(0.0, by) for by in trial.constraints.values())


def rank(trial: FrozenTrial, sign: float) -> tuple[float, ...]:
    """As TPE ranks: complete ones by value, then pruned ones, the longer they trained the better, then those
    that break constraints, by how much.

    Args:
        trial: complete, or pruned with values or a violated constraint.
        sign: 1 where lower values are better, -1 where higher ones are.
    """
    if (by := broken(trial)) > 0:
        return (2.0, by)
    if trial.state is TrialState.COMPLETE:
        return (0.0, sign * float(trial.value or 0.0))
    if not trial.intermediate_values:
        return (1.0, 1.0)
    step, value = max(trial.intermediate_values.items())
    return (1.0, -float(step), math.inf if math.isnan(value) else sign * value)


def quantiles(count: int) -> list[float]:
    """Scores of ranked trials, the best first: the normal distribution's quantiles, the best lowest."""
    return [NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)]


def as_pruned(trial: FrozenTrial) -> FrozenTrial:
    """One that waits at a rung, or went on, as if it had been cut at its last measurement."""
    pruned = copy(trial)
    pruned.state = TrialState.PRUNED
    return pruned


def completed(trial: FrozenTrial, values: list[float], *, constraints: bool = False) -> FrozenTrial:
    """A trial as if it were complete with these values; with its constraints only if asked."""
    complete = copy(trial)
    complete.state, complete.values = TrialState.COMPLETE, values
    if not constraints:
        complete.system_attrs = {
            key: value for key, value in trial.system_attrs.items() if not key.startswith("constraints")
        }
    return complete
