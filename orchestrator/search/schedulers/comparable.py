"""What every scheduler that compares trials must leave out of the comparison."""

import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.result import TrialResult


class ComparesMeasured(FIFOScheduler):
    """A mix-in for Tune's schedulers: a trial that ended without a measurement takes part in no comparison.

    Tune gets a substitute for its value (`orchestrator.search.result.WORST`).
    """

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let the scheduler keep the trial's last value, where there is one."""
        last = TrialResult.from_tune(result)
        if last is not None and not math.isnan(last.value):
            super().on_trial_complete(tune_controller, trial, result)
