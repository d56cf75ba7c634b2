"""The Pareto front: trials that no other beats in one objective without losing in another."""

import math
from collections.abc import Mapping
from typing import TypeVar

from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import State

Key = TypeVar("Key")


def non_dominated(points: Mapping[Key, tuple[float, ...]]) -> list[Key]:
    """The keys of the points that no other point is as low as everywhere and lower somewhere, in their order.

    Args:
        points: one or two values each, all to be low.
    """
    front: set[Key] = set()
    lowest, at = math.inf, math.inf  # of the second value so far, and the first value where it was
    for key, values in sorted(points.items(), key=lambda item: item[1]):
        first, second = values if len(values) > 1 else (0.0, values[0])
        if second < lowest or (second == lowest and first == at):
            front.add(key)
            lowest, at = second, first
    return [key for key in points if key in front]


def pareto_front(trials: list[TrialRecord]) -> list[str]:
    """Ids of the trials on the front of FID and what they cost; those with the lowest FID where nothing else counts.

    As for the best trial, one that was cut counts with what it was measured at, one that failed does not.
    """
    measured = {trial.trial_id: trial.objectives for trial in trials if trial.state is not State.FAILED}
    complete = max((len(values) for values in measured.values()), default=0)
    points = {
        trial_id: tuple(value for value in values.values() if value is not None)
        for trial_id, values in measured.items()
        if len(values) == complete and None not in values.values()
    }
    return non_dominated(points)
