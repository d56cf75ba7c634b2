"""An Optuna searcher for Tune.

Ray's own OptunaSearch leaves a trial RUNNING for ever after a NaN, tells scheduler-cut trials as COMPLETE with their
last value, which misleads TPE, and enqueues the known points again when it re-attaches to a storage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from orchestrator.search.studies import DUPLICATE
from orchestrator.search.telling import FEASIBLE, HEALTHY, told, violation
from orchestrator.search.untried import Untried
from orchestrator.space.domains import Value
from orchestrator.space.objectives import costs
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space
from trainers.run_report import Verdict

TRIES = 3  # proposals that had been tried, before a setting is taken from the list, or is tried again


@dataclass
class _Asked:
    """A trial that Optuna was asked for and has not been told the end of."""

    trial: optuna.Trial
    params: dict[str, Value]
    epoch: int = 0  # of its last FID


class OptunaSearcher(Searcher):
    """Asks Optuna for trials, tells it every rung and how each trial ended.

    What it does itself takes the same time for every trial, however many there were.

    Args:
        study: of the sweep, as `open_study` gives it. What a dead driver left RUNNING has failed.
        space: what varies; its known points are asked first.
        metric: name of the FID in Tune's results.
        submit: ``submit(name, params)`` takes each trial, named after its number in the study.
        config: what Tune's trials are given besides their name.
        devices: ranks x GPUs of a rank (1 where it has none), for the objective ``device_seconds``.
        say: shows a line.
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
        self._fid = metric
        self._study, self._space, self._submit = study, space, submit
        self._config, self._devices, self._say = dict(config or {}), devices, say
        self._violations = SAMPLERS[space.sampler.name].violations
        self._open: dict[str, _Asked] = {}
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

        It is submitted at once, so that gangs take trials in this order and never wait for a relay to start.
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
        """A rung, at its epoch. One that comes again, after its gang has died, stays as it was.

        A FID that counts as worst at a rung (`SchedulerConfig.min_diversity`) is no intermediate value: samplers would
        take a trial that was cut with it for a good one.
        """
        asked, fid, epoch = self._open[trial_id], result[self._fid], result["epoch"]
        if epoch <= asked.epoch:
            return
        asked.epoch = epoch
        if len(self._space.objectives) == 1 and not self._space.scheduler.is_uniform(result):
            asked.trial.report(fid, step=epoch)
        else:  # nor has Optuna any beside several objectives
            asked.trial.set_user_attr(f"{self._fid}@{epoch}", fid)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """COMPLETE with the objective; PRUNED when it was cut; FAIL when it failed or was never measured.

        A trial that a rule ended has failed for its setting's sake: a sampler that can learn that is told PRUNED with a
        violated constraint, the greater the earlier it failed.
        """
        result = result or {}
        verdict, objective = result.get("verdict"), result.get("objective")
        if trial_id in self._open and verdict is None and self._fid in result:
            self.on_trial_result(trial_id, result)  # Tune passes on the rung that the scheduler cut at only here
        asked = self._open.pop(trial_id, None)
        if asked is None:
            return
        verdict = verdict or Verdict.OUTRANKED
        state, at_fault = told(verdict, objective, measured=asked.epoch > 0)
        if error:
            state, at_fault = TrialState.FAIL, False
        if self._violations:
            if at_fault:
                state = TrialState.PRUNED
            if state is not TrialState.FAIL:
                worse = violation(self._space, asked.params, result.get("epoch", 0)) if at_fault else FEASIBLE
                asked.trial.set_constraint(HEALTHY, worse)
        values = self._values(asked, result) if state is TrialState.COMPLETE else None
        self._study.tell(asked.trial, values, state=state)

    def close(self) -> None:
        """Leave no trial RUNNING: what is still open has failed."""
        for trial_id in list(self._open):
            self.on_trial_complete(trial_id, error=True)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's storage holds everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's storage holds everything."""

    def __reduce__(self) -> Any:
        # Tune pickles its config for a restore from elsewhere; the study (its URL's password too) stays here.
        return (Searcher, (self._fid, "min"))

    def _ask(self) -> _Asked | None:
        for left in range(TRIES, -1, -1):
            if self._untried.exhausted:
                return None
            if left == 0 and (setting := self._untried.first()) is not None:
                self._study.enqueue_trial(setting)
            trial = self._study.ask()
            params = self._space.sample(trial)
            if self._untried.take(params) or left == 0:
                return _Asked(trial, params)
            trial.set_user_attr(DUPLICATE, True)
            self._study.tell(trial, state=TrialState.FAIL)
        raise AssertionError

    def _values(self, asked: _Asked, result: dict[str, Any]) -> list[float]:
        seconds = result.get("seconds", 0.0) * self._devices
        values = [result["objective"]]
        if len(self._space.objectives) > 1:
            values += costs(self._space.objectives, self._space.resolve(asked.params), seconds).values()
        return values
