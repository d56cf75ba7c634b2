"""Hyperband (arXiv:1603.06560) in its asynchronous form: brackets of successive halving that never wait."""

import itertools
import math
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from orchestrator.search.schedulers.asha import Asha, with_grace
from orchestrator.space.sections import SchedulerConfig


class Hyperband(FIFOScheduler):
    """Brackets of `Asha`, each with a longer grace than the one before.

    Bracket s lets its trials run `reduction_factor` ** s times as long before the first cut, and gets that many times
    fewer trials, so every bracket costs about the same. Trials are assigned to brackets in turn, by their numbers, so
    that a later driver's scheduler assigns as the first one did, whatever it is shown; trials without a number, as of
    an earlier sweep, in the order in which they come. Ray's own brackets draw from numpy's global generator.

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
        self._assigned = [0] * count
        self._turns: list[int] = []  # the bracket of each number
        self._without_number = itertools.count()
        self._bracket_of: dict[str, Asha] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Pass them on to every bracket."""
        return all([bracket.set_search_properties(metric, mode, **spec) for bracket in self._brackets])

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Assign the trial to the bracket whose turn its number is."""
        name = str(trial.config.get("trial_id"))
        s = self._turn(int(name) if name.isdecimal() else next(self._without_number))
        self._bracket_of[trial.trial_id] = self._brackets[s]
        self._brackets[s].on_trial_add(tune_controller, trial)

    def _turn(self, number: int) -> int:
        while len(self._turns) <= number:  # the bracket that is furthest below its share
            s = min(range(len(self._brackets)), key=lambda s: (self._assigned[s] + 1) / self._shares[s])
            self._assigned[s] += 1
            self._turns.append(s)
        return self._turns[number]

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """The decision of the trial's bracket."""
        decision: str = self._bracket_of[trial.trial_id].on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let the trial's bracket keep its last FID."""
        self._bracket_of.pop(trial.trial_id).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Remove the trial from its bracket."""
        self._bracket_of.pop(trial.trial_id).on_trial_remove(tune_controller, trial)

    def debug_string(self) -> str:
        """One block per bracket."""
        return "\n".join(bracket.debug_string() for bracket in self._brackets)


def build(config: SchedulerConfig, longest: int, finish: int = 1) -> Hyperband:
    """Hyperband for trials of at most `longest` epochs."""
    return Hyperband(config, longest)
