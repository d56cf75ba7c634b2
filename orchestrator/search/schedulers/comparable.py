"""What every scheduler that compares trials must leave out of the comparison."""

import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.result import TrialResult


class ComparesMeasured(FIFOScheduler):
    """A mix-in for Tune's schedulers that leaves out FIDs that cannot be compared.

    For a trial that ended without a FID, Tune gets a substitute (`WORST`), which takes part in no comparison.

    The grey images of an untrained G have a lower FID than its first attempts at pictures. On scikit-learn's digits,
    with EfficientNet-Lite0's features before their lengths were made equal, trials whose learning rates were too low
    to learn anything had a FID of 1410 when the best trials, which ended at 600 to 900, had 1470 to 1880, so schedulers
    kept the trials that had learned nothing. Fakes of such trials hardly vary: their FID counts as worse than any
    other, and the less they vary the worse.
    """

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let the scheduler keep the trial's last FID where that can be compared."""
        last = TrialResult.from_tune(result)
        if last is not None and not math.isnan(last.value) and not last.collapsed:
            super().on_trial_complete(tune_controller, trial, result)
