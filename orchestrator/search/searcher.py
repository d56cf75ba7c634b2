"""An Optuna searcher for Tune.

Ray's own OptunaSearch leaves a trial RUNNING for ever after a NaN, reports scheduler-cut trials as COMPLETE with
their last value, which misleads TPE, and enqueues the known points again when it re-attaches to a storage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from orchestrator.search.result import TrialResult
from orchestrator.search.studies import DUPLICATE
from orchestrator.search.trial_states import FEASIBLE, HEALTHY, state_for_optuna, violation
from orchestrator.search.untried import Untried
from orchestrator.space.domains import Value
from orchestrator.space.objectives import costs
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space

TRIES = 3  # duplicate proposals to reject, before taking a setting from the list of untried ones or else repeating one


@dataclass
class _OpenTrial:
    """A trial that Optuna has proposed and whose end has not been reported to it."""

    trial: optuna.Trial
    params: dict[str, Value]
    epoch: int = 0  # of its last measurement


class OptunaSearcher(Searcher):
    """Asks Optuna for settings, and reports to it every measurement and the end of each trial.

    Its own work per trial takes constant time, however many trials there were.

    Args:
        study: the sweep's study, from `open_study`. Trials that a dead driver left RUNNING are marked FAIL.
        space: the searched space; its known points are proposed first.
        metric: name of the FID in Tune's results.
        submit: called as ``submit(name, params)`` for each trial; the name is the trial's number in the study.
        config: further entries for the config of Tune's trials.
        devices: ranks x GPUs per rank (1 without GPUs), for the objective ``device_seconds``.
        say: shows a line to the user.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        metric: str,
        submit: Callable[[str, dict[str, Value]], None],
        *,
        config: Mapping[str, Any] | None = None,
        devices: float = 1.0,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(metric=metric, mode="min")
        self._metric_name = metric
        self._study, self._space, self._submit = study, space, submit
        self._config, self._devices, self._say = dict(config or {}), devices, say
        self._violations = SAMPLERS[space.sampler.name].violations
        self._open: dict[str, _OpenTrial] = {}
        self._untried = Untried(space)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        for point in space.known_points():
            study.enqueue_trial(point, skip_if_exists=True)
        for trial in study.get_trials(deepcopy=False):
            if trial.state is not TrialState.WAITING:
                self._untried.take(trial.params)

    def suggest(self, trial_id: str) -> Any:
        """The next setting, under Optuna's own trial number; FINISHED when every setting has been tried.

        It is submitted at once, so that gangs take trials in this order and never wait for a trainable to start.
        """
        asked = self._ask()
        if asked is None:
            self._say("every setting of this space has been tried")
            return Searcher.FINISHED
        self._open[trial_id] = asked
        name = f"{asked.trial.number:04d}"
        self._submit(name, asked.params)
        return {"trial_id": name, **self._config}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report a measurement to Optuna, at its epoch. One that a restarted gang repeats is ignored.

        A FID of fakes that hardly vary (`Measurement.collapsed`) is not reported as an intermediate
        value: samplers would take a trial that was cut with it for a good one.
        """
        self._measured(self._open[trial_id], TrialResult.from_tune(result))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Report the trial's end: COMPLETE with the objective, PRUNED when cut, FAIL when failed or never measured.

        A trial that a rule ended failed because of its setting. A sampler that learns from constraints gets it as
        PRUNED with a violated constraint; the earlier the failure, the greater the violation.
        """
        asked = self._open.pop(trial_id, None)
        if asked is None:
            return
        ended = TrialResult.from_tune(result)
        if ended is not None and ended.outcome is None:
            self._measured(asked, ended)  # Tune passes the measurement of the cut only here
        outcome, objective = ended.outcome if ended is not None else None, None
        measured = asked.epoch > 0
        # Without an outcome Tune has ended the trial: the scheduler cut it, or the sweep ended.
        state, at_fault = TrialState.PRUNED if measured and not error else TrialState.FAIL, False
        if outcome is not None and not error:
            objective = outcome.objective
            state, at_fault = state_for_optuna(outcome.verdict, objective, measured=measured)
        if self._violations:
            if at_fault:
                state = TrialState.PRUNED
            if state is not TrialState.FAIL:
                epoch = ended.epoch if ended is not None else 0
                worse = violation(self._space, asked.params, epoch) if at_fault else FEASIBLE
                asked.trial.set_constraint(HEALTHY, worse)
        values = self._values(asked, objective, ended.seconds) if ended and state is TrialState.COMPLETE else None
        self._study.tell(asked.trial, values, state=state)

    def close(self) -> None:
        """Report every trial that is still open as FAIL, so that none stays RUNNING."""
        for trial_id in list(self._open):
            self.on_trial_complete(trial_id, error=True)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's storage holds everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's storage holds everything."""

    def __reduce__(self) -> Any:
        # Tune pickles its config for a later restore; the study's URL may hold a password and must not be in there.
        return (Searcher, (self._metric_name, "min"))

    def _ask(self) -> _OpenTrial | None:
        for left in range(TRIES, -1, -1):
            if self._untried.exhausted:
                return None
            if left == 0 and (setting := self._untried.first()) is not None:
                self._study.enqueue_trial(setting)
            trial = self._study.ask()
            params = self._space.sample(trial)
            if self._untried.take(params) or left == 0:
                return _OpenTrial(trial, params)
            trial.set_user_attr(DUPLICATE, True)
            self._study.tell(trial, state=TrialState.FAIL)
        raise AssertionError

    def _measured(self, asked: _OpenTrial, result: TrialResult | None) -> None:
        if result is None or result.epoch <= asked.epoch:
            return
        asked.epoch = int(result.epoch)
        if len(self._space.objectives) == 1 and not result.collapsed:
            asked.trial.report(result.fid, step=asked.epoch)
        else:  # with several objectives Optuna has no intermediate values either
            asked.trial.set_user_attr(f"{self._metric_name}@{asked.epoch}", result.fid)

    def _values(self, asked: _OpenTrial, objective: float | None, seconds: float) -> list[float]:
        assert objective is not None
        names = self._space.objectives
        if len(names) == 1:
            return [objective]
        return [objective, *costs(names, self._space.resolve(asked.params), seconds * self._devices).values()]
