"""The median stopping rule of Vizier (Golovin et al. 2017)."""

import math
from typing import Any

from ray.tune.schedulers import MedianStoppingRule

from orchestrator.search.result import CLOCK
from orchestrator.search.schedulers.comparable import ComparesMeasured
from orchestrator.space.sections import SchedulerConfig


class Median(ComparesMeasured, MedianStoppingRule):
    """Cuts a trial whose best FID is worse than the median of the other trials' mean FIDs up to its epoch."""


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Median:
    """The median rule for trials of at most `longest` epochs."""
    # A gang cannot pause: min_time_slice keeps the rule from pausing trials until it has enough to compare.
    never: Any = math.inf
    return Median(time_attr=CLOCK, grace_period=min(config.grace_epochs, longest), min_time_slice=never)
