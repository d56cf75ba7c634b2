"""Hyperband (arXiv:1603.06560) in its asynchronous form: brackets of `asha_stopping`, which never wait."""

import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.schedulers.asha_stopping import Asha, with_grace
from orchestrator.search.schedulers.brackets import Turns
from orchestrator.search.schedulers.promotion import name_of
from orchestrator.space.rungs import graces
from orchestrator.space.sections import SchedulerConfig


class Hyperband(FIFOScheduler):
    """Brackets of `Asha`, each with a longer grace than the one before. Ray's own draw from numpy's global generator.

    Args:
        config: grace, reduction factor, and the most brackets.
        longest: epochs of the longest trial.
    """

    def __init__(self, config: SchedulerConfig, longest: int) -> None:
        super().__init__()
        firsts = graces(config, longest)
        self._brackets = [with_grace(math.ceil(first), config, longest) for first in firsts]
        self._turns = Turns(firsts)

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Pass them on to every bracket."""
        return all([bracket.set_search_properties(metric, mode, **spec) for bracket in self._brackets])

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Let the trial's bracket know of it."""
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """The decision of the trial's bracket."""
        decision: str = self._of(trial).on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let the trial's bracket keep its last FID."""
        self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Remove the trial from its bracket."""
        self._of(trial).on_trial_remove(tune_controller, trial)

    def debug_string(self) -> str:
        """One block per bracket."""
        return "\n".join(bracket.debug_string() for bracket in self._brackets)

    def _of(self, trial: Trial) -> Asha:
        return self._brackets[self._turns.of(name_of(trial))]


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Hyperband:
    """Hyperband for trials of at most `longest` epochs."""
    return Hyperband(config, longest)
