"""The Pareto front: trials that no other trial dominates."""

import math
from collections.abc import Mapping
from typing import TypeVar

from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import keeping
from orchestrator.space.objectives import lower_is_better

Key = TypeVar("Key")


def non_dominated(points: Mapping[Key, tuple[float, ...]]) -> list[Key]:
    """The keys of the points that no other dominates (nowhere higher and somewhere lower), in their order.

    Args:
        points: one or two values each; lower is better.
    """
    front: set[Key] = set()
    lowest, at = math.inf, math.inf  # the lowest second value so far, and the first value beside it
    for key, values in sorted(points.items(), key=lambda item: item[1]):
        first, second = values if len(values) > 1 else (0.0, values[0])
        if second < lowest or (second == lowest and first == at):
            front.add(key)
            lowest, at = second, first
    return [key for key in points if key in front]


def pareto_front(trials: list[TrialRecord]) -> list[str]:
    """Ids of the trials on the front of both objectives; where there is one, those with the best.

    As in `best_trial`, a trial counts with its objective whatever ended it, unless its checkpoint was refused; one
    that breaks a constraint only where every one does.
    """
    kept = keeping([trial for trial in trials if trial.can_win and not trial.is_repeat])
    measured = {trial.trial_id: trial.objectives for trial in kept}
    complete = max((len(values) for values in measured.values()), default=0)
    points = {
        trial_id: lower_is_better({name: value for name, value in values.items() if value is not None})
        for trial_id, values in measured.items()
        if len(values) == complete and None not in values.values()
    }
    return non_dominated(points)
