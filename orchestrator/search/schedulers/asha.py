"""Schedulers: which trials are cut for others' sake. All on our own clock: Tune's iterations restart after a retry.

None can cut before `grace_epochs`, nor before the first FID: Tune hears of no other epochs.
"""

import math
from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from orchestrator.search.result import WORST_FID
from orchestrator.space.sections import SCHEDULERS, SchedulerConfig
from orchestrator.space.space import Space

CLOCK = "epoch"


class _Meaningful(FIFOScheduler):
    """Compares what can be compared.

    A trial that ended without a FID has none: what Tune is told instead is compared with nobody's. And the grey of an
    untrained G has a lower FID than its first attempts at pictures. On scikit-learn's digits, trials whose rates were
    too low to learn anything stood at 1410 when the best ones stood at 1470 to 1880, to end at 600 to 900, so that
    schedulers kept those that had not begun. Their fakes hardly vary: such a FID is worse than any other, and the worse
    the less they vary.

    Attributes:
        config: knows which fakes hardly vary; set by whoever makes the scheduler.
    """

    config: SchedulerConfig

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        if result.get(str(self._metric), WORST_FID) < WORST_FID and not self.config.is_uniform(result):
            super().on_trial_complete(tune_controller, trial, result)


class Asha(_Meaningful, AsyncHyperBandScheduler):
    """Asynchronous successive halving (arXiv:1810.05934): at each rung, one trial in `reduction_factor` goes on."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Its rung's decision."""
        told = result
        if self.config.is_uniform(result):
            told = {**result, str(self._metric): WORST_FID * (2 - result["diversity"])}
        decision: str = super().on_trial_result(tune_controller, trial, told)
        return decision


class Median(_Meaningful, MedianStoppingRule):
    """Cuts a trial whose best FID is worse than the median of the others' means up to its epoch (Vizier)."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """One that counts as worst is cut as soon as there are enough to compare with, and is in nobody's mean."""
        time = result[CLOCK]
        if not self.config.is_uniform(result):
            decision: str = super().on_trial_result(tune_controller, trial, result)
            return decision
        others = [other for other in self._trials_beyond_time(time) if other is not trial]
        enough = time >= self._grace_period and len(others) >= self._min_samples_required
        return TrialScheduler.STOP if enough else TrialScheduler.CONTINUE


class Hyperband(FIFOScheduler):
    """Hyperband (arXiv:1603.06560) in its asynchronous form: brackets of successive halving that never wait.

    Bracket s lets its trials run `reduction_factor` ** s times as long before the first cut, and gets that many times
    fewer of them, so every bracket costs about the same. Trials are dealt out in turn: no random numbers, unlike in
    Ray's own brackets, which draw from numpy's global generator.

    Args:
        config: grace, reduction factor, and the most brackets; only those whose first rung is inside the run are made.
        longest: epochs of the longest trial.
    """

    def __init__(self, config: SchedulerConfig, longest: int) -> None:
        super().__init__()
        grace, factor = min(config.grace_epochs, longest), config.reduction_factor
        count = min(config.brackets, 1 + int(math.log(longest / grace, factor) + 1e-9))
        self._brackets = [_asha(math.ceil(grace * factor**s), config, longest) for s in range(count)]
        self._shares = [factor**-s for s in range(count)]
        self._dealt = [0] * count
        self._of: dict[str, Asha] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Passed on to every bracket."""
        return all([bracket.set_search_properties(metric, mode, **spec) for bracket in self._brackets])

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Deal the trial to the bracket that lacks most for its share."""
        s = min(range(len(self._brackets)), key=lambda s: (self._dealt[s] + 1) / self._shares[s])
        self._dealt[s] += 1
        self._of[trial.trial_id] = self._brackets[s]
        self._brackets[s].on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """As its bracket says."""
        decision: str = self._of[trial.trial_id].on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """The bracket keeps its last FID."""
        self._of.pop(trial.trial_id).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Its bracket forgets it."""
        self._of.pop(trial.trial_id).on_trial_remove(tune_controller, trial)

    def debug_string(self) -> str:
        """One block per bracket."""
        return "\n".join(bracket.debug_string() for bracket in self._brackets)


def _asha(grace: int, config: SchedulerConfig, longest: int) -> Asha:
    scheduler = Asha(
        time_attr=CLOCK,
        max_t=longest + 1,  # a trial ends by itself at its last epoch
        grace_period=min(grace, longest),
        reduction_factor=config.reduction_factor,
    )
    scheduler.config = config
    return scheduler


def _median(config: SchedulerConfig, longest: int) -> Median:
    # A gang cannot pause: min_time_slice keeps the rule from pausing trials until it has enough to compare.
    never: Any = math.inf
    scheduler = Median(time_attr=CLOCK, grace_period=min(config.grace_epochs, longest), min_time_slice=never)
    scheduler.config = config
    return scheduler


_BUILD: dict[str, Callable[[SchedulerConfig, int], TrialScheduler]] = {
    "asha": lambda config, longest: _asha(config.grace_epochs, config, longest),
    "hyperband": Hyperband,
    "median": _median,
    "none": lambda config, longest: FIFOScheduler(),
}
assert tuple(_BUILD) == SCHEDULERS


def build_scheduler(space: Space) -> TrialScheduler:
    """The scheduler of a space."""
    domain = space.search.get("schedule.epochs")
    longest = max(int(epochs) for epochs in (domain.probes() if domain else [space.base.schedule.epochs]))
    return make_scheduler(space.scheduler, longest)


def make_scheduler(config: SchedulerConfig, longest: int) -> TrialScheduler:
    """The scheduler of a configuration, for trials of at most `longest` epochs."""
    return _BUILD[config.name](config, longest)
