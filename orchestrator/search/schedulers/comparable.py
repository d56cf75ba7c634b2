"""What every scheduler that compares trials must leave out of the comparison."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.result import TrialResult
from orchestrator.space.sections import SchedulerConfig


class ComparesMeasured(FIFOScheduler):
    """Mixed into a scheduler of Tune's: compares what can be compared.

    A trial that ended without a FID has none: what Tune is told instead takes part in no comparison. And the grey of an
    untrained G has a lower FID than its first attempts at pictures. On scikit-learn's digits, trials whose rates were
    too low to learn anything stood at 1410 when the best ones stood at 1470 to 1880, to end at 600 to 900, so that
    schedulers kept those that had not begun. Their fakes hardly vary: such a FID is worse than any other, and the worse
    the less they vary.

    Attributes:
        config: knows which fakes hardly vary; set by whoever makes the scheduler.
    """

    config: SchedulerConfig

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Remember its last FID where that can be compared."""
        metric = str(self._metric)
        if metric not in result:
            return
        last = TrialResult.from_tune(result, metric)
        if last.fid is not None and not self.config.hardly_vary(last.diversity):
            super().on_trial_complete(tune_controller, trial, result)
