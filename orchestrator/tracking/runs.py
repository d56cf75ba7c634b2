"""A sweep's experiment and runs in MLflow: looked up before they are made, so that none is made twice."""

import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from orchestrator.results.places import TRACKING_FILES
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.tracking.described import run_name
from orchestrator.tracking.new_database import make_database

log = logging.getLogger(__name__)

SWEEP_TAG, TRIAL_TAG, UNIQUE_TAG = "gan_sweep.sweep", "gan_sweep.trial", "gan_sweep.unique"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # MLflow opens it as training, not as GenAI
MOST_FOUND = 10  # of runs with the same tags, which a server that answers late may have


class Runs:
    """The runs of a sweep.

    Args:
        directory: of the sweep.
        plan: of the sweep.
        tracking_uri: MLflow's, with its secrets.
    """

    def __init__(self, directory: Path, plan: SavedPlan, tracking_uri: str) -> None:
        self._directory, self._plan, self._uri = directory, plan, tracking_uri
        self._experiment_id: str | None = None
        self._ids: dict[str, str] = {}  # by trial; the sweep's own under "none"
        self._unsure: set[str] = set()  # of which the server may make a second one yet: it did not answer
        self._known: set[str] | None = None  # trials whose runs may be there already; None: any

    @cached_property
    def client(self) -> MlflowClient:
        """Made by the first write: for a database that means to connect to it."""
        make_database(self._uri, self._directory)
        return MlflowClient(tracking_uri=self._uri)

    def sweep(self, started: float) -> tuple[str, bool]:
        """The id of the sweep's own run, and whether it was there."""
        return self._run("none", f"sweep {self._plan.sweep}", started, {})

    def trial(self, trial: TrialRecord, tags: dict[str, str] | None = None) -> tuple[str, bool]:
        """The id of a trial's run, and whether it was there; if not, it is made with these `tags`."""
        name = trial.trial_id
        if name in self._ids:
            return self._ids[name], True
        parent = {MLFLOW_PARENT_RUN_ID: self.sweep(trial.started)[0]}
        return self._run(name, run_name(trial, self._plan), trial.started, {**(tags or {}), **parent})

    def experiment(self) -> str:
        """The id of the space's experiment, which is made where it is not there."""
        if self._experiment_id is None:
            self._experiment_id = self._look_up_experiment() or self._new_experiment()
        return self._experiment_id

    def new_but(self, trials: Iterable[str]) -> None:
        """From now on only these trials may have a run that was made by others: others' are made without a look-up."""
        self._known = {"none", *trials}

    def settle(self, trial: str = "none") -> None:
        """Delete what an earlier request for the run, which seemed to fail, has made after all."""
        if trial in self._unsure:
            self._keep(trial, self._found(trial))
            self._unsure.discard(trial)

    def _run(self, trial: str, name: str, started: float, tags: dict[str, str]) -> tuple[str, bool]:
        if trial in self._ids:
            return self._ids[trial], True
        may_be_there = self._known is None or trial in self._known or trial in self._unsure
        if may_be_there and (found := self._found(trial)):
            self._ids[trial] = max(found, key=_written).info.run_id
            self._keep(trial, found)
            return self._ids[trial], True
        try:
            run = self.client.create_run(self.experiment(), int(started * 1000), {**self._tags(trial), **tags}, name)
        except Exception:
            self._unsure.add(trial)
            raise
        self._ids[trial] = run.info.run_id
        return run.info.run_id, False

    def _found(self, trial: str) -> list[Run]:
        query = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in self._tags(trial).items())
        return list(self.client.search_runs([self.experiment()], query, max_results=MOST_FOUND))

    def _keep(self, trial: str, found: list[Run]) -> None:
        for run in found:
            if run.info.run_id != self._ids[trial]:
                try:
                    self.client.delete_run(run.info.run_id)
                except MlflowException as error:  # it does no harm but to the eye
                    log.warning("a second run of trial %s stays: %s", trial, error)

    def _tags(self, trial: str) -> dict[str, str]:
        return {SWEEP_TAG: self._plan.sweep, UNIQUE_TAG: self._plan.unique, TRIAL_TAG: trial}

    def _look_up_experiment(self) -> str | None:
        found = self.client.get_experiment_by_name(self._plan.space)
        return None if found is None else found.experiment_id

    def _new_experiment(self) -> str:
        root = self._artifacts()
        location = None if root is None else root.as_uri()
        try:
            return self.client.create_experiment(self._plan.space, artifact_location=location, tags=EXPERIMENT_TAGS)
        except MlflowException:
            if (made := self._look_up_experiment()) is None:  # not by another sweep of this space meanwhile
                raise
            return made

    def _artifacts(self) -> Path | None:
        """Where files of runs are kept; None: a server decides.

        SQLite keeps them beside its file. Of another database MLflow would keep them in ``mlruns`` of whatever folder
        this process runs in.
        """
        if self._uri.startswith("http"):
            return None
        if self._uri.startswith("sqlite:///"):
            return Path(self._uri.removeprefix("sqlite:///")).parent / TRACKING_FILES
        return self._directory.parent / TRACKING_FILES


def _written(run: Run) -> int:
    return len(run.data.params) + len(run.data.metrics)
