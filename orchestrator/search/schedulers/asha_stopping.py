"""Asynchronous successive halving in its stopping type (arXiv:1810.05934): what is not among the best is cut."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler

from orchestrator.search.result import CLOCK, TrialResult
from orchestrator.search.schedulers.comparable import ComparesMeasured
from orchestrator.space.sections import SchedulerConfig


class Asha(ComparesMeasured, AsyncHyperBandScheduler):
    """At each rung, one trial in `reduction_factor` goes on."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """The decision of the trial's rung; a FID of fakes that hardly vary counts as worse than any other."""
        now = TrialResult.from_tune(result)
        if now is not None and now.collapsed:
            result = {**result, str(self._metric): now.compared}
        decision: str = super().on_trial_result(tune_controller, trial, result)
        return decision


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Asha:
    """ASHA for trials of at most `longest` epochs."""
    return with_grace(config.grace_epochs, config, longest)


def with_grace(grace: int, config: SchedulerConfig, longest: int) -> Asha:
    """ASHA as `config` says, except that every trial may run `grace` epochs."""
    return Asha(
        time_attr=CLOCK,
        max_t=longest + 1,  # a trial ends by itself at its last epoch
        grace_period=min(grace, longest),
        reduction_factor=config.reduction_factor,
    )
