"""What trials have of the second objective: at their end, where schedulers compare them, and as samplers learn it."""

from collections.abc import Mapping

import optuna

from orchestrator.search.both import SO_FAR
from orchestrator.search.result import TrialResult, compared
from orchestrator.space.domains import Value
from orchestrator.space.objectives import DEVICE_SECONDS, counted, measured_costs
from orchestrator.space.space import Space


class TrialCosts:
    """The values of the objectives besides the first. What the config alone says is counted once per trial.

    Args:
        space: names the objectives.
        devices: ranks x GPUs per rank (1 without GPUs).
    """

    def __init__(self, space: Space, devices: float) -> None:
        self._space, self._devices = space, devices
        self._names = space.objectives[1:]
        self._counted: dict[int, dict[str, float]] = {}

    def know(self, number: int, found: Mapping[str, float]) -> None:
        """Take what was counted of trial `number` when it was proposed."""
        self._counted[number] = dict(found)

    def of(
        self, number: int, params: Mapping[str, Value], seconds: float, beside: Mapping[str, float]
    ) -> dict[str, float]:
        """By name; what was not measured is left out.

        Args:
            number: of the trial.
            params: its searched values.
            seconds: that it has trained.
            beside: what was measured, by protocol.
        """
        if not self._names:
            return {}
        if number not in self._counted:
            self.know(number, counted(self._names, self._space.resolve(dict(params))))
        found = self._counted[number] | {DEVICE_SECONDS: seconds * self._devices} | measured_costs(self._names, beside)
        return {name: found[name] for name in self._names if name in found}

    def tell(self, trial: optuna.Trial, params: Mapping[str, Value], result: TrialResult) -> None:
        """Tell Optuna what a trial has of both objectives at a measurement; see `orchestrator.search.both`.

        Of its seconds: how many its whole training takes, if each epoch takes as long as those so far.
        """
        if result.measurement is None or (DEVICE_SECONDS in self._names and not result.seconds):
            return  # nobody knows how long it took
        epochs = int(params.get("schedule.epochs") or self._space.base.schedule.epochs)
        whole = result.seconds * epochs / result.epoch
        if found := self.of(trial.number, params, whole, result.measurement.others):
            trial.set_user_attr(SO_FAR, [int(result.epoch), compared(result.measurement), *found.values()])
