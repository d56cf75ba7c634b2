"""How sure a rule may be that a run will not come back: the FIDs from which it might are within its reach.

Three things decide it. How much of the plan is left: a public run stood at 1.2 times its best around the middle of its
plan and ended 27% below that best; another found its best after a third of its plan. How far FID is above its best:
runs that collapsed stood at twice their best and more. And how noisy FIDs are: the lowest of many noisy ones lies below
the run's level, which then seems to have risen. Whether FID still rises did not help, and is left out. How the numbers
were chosen is in the room's README.md.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from orchestrator.pruning.history import FidPoint, History, lowest

HOPE = 0.2  # ln(FID) by which the reach is wider at the start of a plan than at its end: 1.3 times becomes 1.6 times
NOISE = 2.0  # standard deviations of a FID's noise by which it is wider
FEWEST_DIFFERENCES = 3  # of neighbouring FIDs, that show how noisy they are
MEDIAN_DIFFERENCE = 0.954  # median of |a - b| where a and b are normal with standard deviation 1


def noise(points: Sequence[FidPoint]) -> float:
    """Standard deviation of the measurements' ln(FID), from the differences of neighbours; 0 with too few of them."""
    logs = [math.log(point.fid) for point in points if point.fid > 0]
    differences = [abs(later - earlier) for earlier, later in pairwise(logs)]
    return median(differences) / MEDIAN_DIFFERENCE if len(differences) >= FEWEST_DIFFERENCES else 0.0


def beyond(history: History, above: float, *, untrained: int, noisy: bool = True) -> list[tuple[FidPoint, float]]:
    """Every measurement after the lowest one, and how far in ln(FID) it lies beyond the run's reach then.

    Args:
        history: the run so far.
        above: share above its best from which a run without noise may come back at the very end of its plan.
        untrained: number of reports at the start whose FIDs count for nothing: see `Rule.untrained`.
        noisy: noise widens the reach. False where other evidence than FID speaks against the run.
    """
    points = history.after(untrained)
    best = lowest(points)
    if best is None:
        return []
    place = points.index(best)
    width = math.log1p(above) + (NOISE * noise(points[: place + 1]) if noisy else 0.0)
    return [
        (point, math.log(point.fid / best.fid) - width - HOPE * history.left(point) if best.fid > 0 else math.inf)
        for point in points[place + 1 :]
    ]


def out_of_reach(history: History, above: float, *, untrained: int, noisy: bool = True) -> list[FidPoint]:
    """The latest measurements in a row that lie beyond the run's reach; arguments as in `beyond`."""
    latest: list[FidPoint] = []
    for point, excess in beyond(history, above, untrained=untrained, noisy=noisy):
        latest = [*latest, point] if excess > 0 else []
    return latest
