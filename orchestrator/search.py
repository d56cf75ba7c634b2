"""An Optuna searcher for Tune.

Ray's own OptunaSearch leaves a trial RUNNING for ever after a NaN, tells scheduler-cut trials as COMPLETE with their
last value, which misleads TPE, and enqueues the known points again when it re-attaches to a storage.
"""

from pathlib import Path
from typing import Any

import optuna
import ray
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState
from ray.tune.search import Searcher

from orchestrator.broker import BrokerHandle
from orchestrator.results.records import State, state_of
from orchestrator.space import Space
from trainers.report import Verdict



def open_study(path: Path, name: str, seed: int, *, conditional: bool = False) -> optuna.Study:
    """The sweep's study in a journal file, made when it is not there.

    Args:
        path: of the journal; ``optuna-dashboard`` opens it.
        name: of the study.
        seed: of the sampler.
        conditional: whether keys of the space exist only beside certain values of others: each group of keys that
            exist together is then modelled on its own.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))),
        study_name=name,
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, group=conditional, constant_liar=True),
        direction="minimize",
        load_if_exists=True,
    )


class OptunaSearcher(Searcher):
    """Asks Optuna for trials, tells it every rung and how each trial ended.

    Args:
        study: of the sweep.
        space: what varies; its known points are asked first.
        metric: name of the FID in Tune's results.
        broker: takes the trials.
    """

    def __init__(self, study: optuna.Study, space: Space, metric: str, broker: BrokerHandle) -> None:
        super().__init__(metric=metric, mode="min")
        self._fid = metric
        self._study, self._space, self._broker = study, space, broker
        self._open: dict[str, optuna.Trial] = {}
        self._measured: set[str] = set()
        for point in space.known_points():
            study.enqueue_trial(point, skip_if_exists=True)

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """The next setting, under Optuna's own trial number.

        It goes to the broker at once, so that gangs take trials in this order and never wait for a relay to start.
        """
        trial = self._study.ask()
        self._open[trial_id] = trial
        name = f"{trial.number:04d}"
        ray.get(self._broker.submit.remote(name, self._space.sample(trial)))
        return {"trial_id": name, "broker": self._broker}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A rung: reported at its epoch."""
        self._open[trial_id].report(result[self._fid], step=result["epoch"])
        self._measured.add(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """COMPLETE with the objective; PRUNED when it was cut; FAIL when it failed or was never measured."""
        result = result or {}
        verdict, objective = result.get("verdict"), result.get("objective")
        if trial_id in self._open and verdict is None and self._fid in result:
            self.on_trial_result(trial_id, result)  # Tune passes on the rung that the scheduler cut at only here
        trial = self._open.pop(trial_id, None)
        if trial is None:
            return
        state = State.FAILED if error else state_of(verdict or Verdict.OUTRANKED, objective)
        if state is State.COMPLETED and objective is not None:
            self._study.tell(trial, objective)
        elif state is State.FAILED or trial_id not in self._measured:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, state=TrialState.PRUNED)

    def close(self) -> None:
        """Leave no trial RUNNING: what is still open has failed."""
        for trial_id in list(self._open):
            self.on_trial_complete(trial_id, error=True)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's storage holds everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's storage holds everything."""
