"""Which trials are best where there are several objectives: by fronts of non-dominated ones, as NSGA-II ranks."""

import math
from collections.abc import Mapping
from itertools import islice

from orchestrator.results.pareto import non_dominated


def best(values: Mapping[str, tuple[float, float]], count: int) -> set[str]:
    """The `count` best of these trials: those on the first front, then on the front of the others, and so on.

    Of a front that is too large for what is left, those stay whose neighbours are farthest (Deb et al. 2002, "A fast
    and elitist multiobjective genetic algorithm: NSGA-II", section III-B).

    Args:
        values: FID and a cost of each trial; lower is better.
        count: at most as many as there are.
    """
    left, found = dict(values), set[str]()
    while left and len(found) < count:
        front = non_dominated(left)
        found |= set(islice(_spread_out({trial: left[trial] for trial in front}), count - len(found)))
        for trial in front:
            del left[trial]
    return found


def _spread_out(front: Mapping[str, tuple[float, float]]) -> list[str]:
    """By crowding distance, the largest first; then by FID and name."""
    distance = dict.fromkeys(front, 0.0)
    for objective in range(2):
        ordered = sorted(front, key=lambda trial: (front[trial][objective], trial))
        low, high = front[ordered[0]][objective], front[ordered[-1]][objective]
        distance[ordered[0]] = distance[ordered[-1]] = math.inf
        for before, trial, after in zip(ordered, ordered[1:], ordered[2:], strict=False):
            if high > low:
                distance[trial] += (front[after][objective] - front[before][objective]) / (high - low)
    return sorted(front, key=lambda trial: (-distance[trial], front[trial], trial))
