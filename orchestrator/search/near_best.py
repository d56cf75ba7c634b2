"""TPE to which only values near the lowest are good, and whether there are any of which that can be said.

To TPE a tenth of the trials are good, whatever their values, and all of these count the same. On photographs of cars it
went on to draw settings like nine that had learned nothing, with FIDs of 142 to 144, when one at random had come to 72.
"""

from collections.abc import Collection
from statistics import median
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from orchestrator.search.ranks import broken

NEAR = 1.25  # times the lowest value, within which one is good
LEARNS = 0.9  # times the median of first values; trials that learned nothing ended at 0.94 of it and above


class NearBestTPE(TPESampler):
    """As Optuna's, but of the trials that it takes for good only those near the best count.

    That holds where there is one objective, which is minimised, and a trial has finished with a value above 0: ratios
    say nothing of others.
    """

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:  # Optuna asks `_gamma` how many are good
        near = near_best(study)
        self._gamma = None if near is None else lambda count: min(default_gamma(count), near)
        return super()._sample(study, trial, search_space)


def near_best(study: Study) -> int | None:
    """How many finished trials have a value within `NEAR` times the lowest; None where that says nothing."""
    if study.directions != [StudyDirection.MINIMIZE]:
        return None
    finished = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True)
    values = [one.value for one in finished if one.value is not None and not broken(one)]
    if not values or min(values) <= 0:
        return None
    return sum(value <= NEAR * min(values) for value in values)


def any_learns(study: Study, measured: Collection[int] = ()) -> bool:
    """Whether a trial has a value well below the median of all trials' first ones; True where that says nothing.

    A model of trials that have all learned nothing says nothing of where one would.

    Args:
        study: of one sweep.
        measured: numbers of the trials that are not over and count all the same.
    """
    if study.directions != [StudyDirection.MINIMIZE]:
        return True
    over = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = study._get_trials(deepcopy=False, use_cache=True)
    known = [one for one in trials if one.intermediate_values and (one.state in over or one.number in measured)]
    if not known:
        return True
    firsts = [one.intermediate_values[min(one.intermediate_values)] for one in known]
    values = [value for one in known for value in (*one.intermediate_values.values(), *(one.values or ()))]
    return min(values) <= 0 or min(values) < LEARNS * median(firsts)
