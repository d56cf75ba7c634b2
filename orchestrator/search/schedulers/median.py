"""The median stopping rule of Vizier (Golovin et al. 2017)."""

import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import MedianStoppingRule, TrialScheduler

from orchestrator.search.result import CLOCK, TrialResult
from orchestrator.search.schedulers.comparable import ComparesMeasured
from orchestrator.space.sections import SchedulerConfig


class Median(ComparesMeasured, MedianStoppingRule):
    """Cuts a trial whose best FID is worse than the median of the other trials' mean FIDs up to its epoch."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """A trial whose fakes hardly vary is cut as soon as there are enough others, and its FID is in no mean."""
        now = TrialResult.from_tune(result)
        if now is None or not now.collapsed:
            decision: str = super().on_trial_result(tune_controller, trial, result)
            return decision
        others = [other for other in self._trials_beyond_time(now.epoch) if other is not trial]
        enough = now.epoch >= self._grace_period and len(others) >= self._min_samples_required
        return TrialScheduler.STOP if enough else TrialScheduler.CONTINUE


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Median:
    """The median rule for trials of at most `longest` epochs."""
    # A gang cannot pause: min_time_slice keeps the rule from pausing trials until it has enough to compare.
    never: Any = math.inf
    return Median(time_attr=CLOCK, grace_period=min(config.grace_epochs, longest), min_time_slice=never)
