"""Hyperband (arXiv:1603.06560) in its asynchronous form: brackets of successive halving that never wait."""

import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.schedulers.asha import Asha, with_grace
from orchestrator.space.sections import SchedulerConfig


class Hyperband(FIFOScheduler):
    """Brackets of `Asha` with longer and longer graces.

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
        self._brackets = [with_grace(math.ceil(grace * factor**s), config, longest) for s in range(count)]
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


def build(config: SchedulerConfig, longest: int) -> Hyperband:
    """For trials of at most `longest` epochs."""
    return Hyperband(config, longest)
