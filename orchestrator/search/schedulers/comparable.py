"""What schedulers of Tune compare."""

import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.result import TrialResult


class ComparesMeasured(FIFOScheduler):
    """A mix-in for Tune's schedulers: FIDs of fakes that hardly vary count as higher (`orchestrator.search.result`).

    For a trial that ended without a FID, Tune gets a substitute (`WORST`), which takes part in no comparison.
    """

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """The scheduler's decision."""
        now = TrialResult.from_tune(result)
        if now is not None and now.measurement is not None:
            result = {**result, str(self._metric): now.compared}
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let the scheduler keep the trial's last FID."""
        last = TrialResult.from_tune(result)
        if last is not None and not math.isnan(last.value):
            super().on_trial_complete(tune_controller, trial, {**result, str(self._metric): last.compared})
