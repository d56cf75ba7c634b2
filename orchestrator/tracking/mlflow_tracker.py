"""Writes a sweep to MLflow, in batches and in a thread of its own, so that a slow server slows nothing down.

A write that fails because the server is unreachable is tried again until it succeeds. A write that the server refuses
is lost, and so is one that it has not accepted some time after the sweep's end. Lost writes are logged, counted and
shown; the sweep's directory has everything.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from PIL import Image

from orchestrator.results.databases import check_database
from orchestrator.results.records import TrialRecord
from orchestrator.results.sinks import Sink
from orchestrator.results.store import ResultsStore, SweepInfo
from orchestrator.results.verdict import State, SweepStatus
from trainers.errors import UserError, first_line, is_full
from trainers.masking import masked
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)

SWEEP_TAG, TRIAL_TAG = "gan_sweep.sweep", "gan_sweep.trial"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # MLflow opens it as training, not as GenAI
_STATUS = {State.COMPLETED: "FINISHED", State.PRUNED: "KILLED", State.STOPPED: "KILLED", State.FAILED: "FAILED"}
_RETRY_S = 1.0
_REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "PERMISSION_DENIED"}


def check_tracking(uri: str) -> None:
    """Check that MLflow answers at `uri`, before anything is started. In a database nothing is made.

    Raises:
        UserError: it does not.
    """
    try:
        if uri.startswith("http"):
            MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
        else:
            check_database(uri)
    except Exception as error:  # also a database driver that is not installed
        raise UserError(f"MLflow does not answer at {masked(uri)}: {first_line(error)}") from None


class MlflowTracker(Sink):
    """Writes a sweep to an MLflow server or store.

    Args:
        info: the sweep.
        store: the sweep's directory, with sample grids and configs.
    """

    def __init__(self, info: SweepInfo, store: ResultsStore) -> None:
        self._info, self._store = info, store
        self._client = MlflowClient(tracking_uri=info.tracking_uri)
        self._runs: dict[str, str] = {}
        self._experiment_id = self._experiment()
        self.parent_id = self._run(f"sweep {info.sweep}", {SWEEP_TAG: info.sweep, TRIAL_TAG: "none"})
        self._describe_parent()
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._lost = 0
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._drain, name="mlflow", daemon=True)
        self._thread.start()

    def started(self, trial: TrialRecord) -> None:
        """Open the trial's run and log its config."""
        self._work.put(lambda: self._start_trial(trial))

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Log the epoch's metrics, and its sample grid where it has one."""
        self._work.put(lambda: self._log_epoch(trial, report))

    def ended(self, trial: TrialRecord) -> None:
        """Log how it ended and close its run."""
        state, verdict, detail = trial.state, str(trial.verdict), trial.detail
        self._work.put(lambda: self._end_trial(trial, state, verdict, detail))

    def confirmed(self, trial: TrialRecord) -> None:
        """Log mean and spread of its confirmed FIDs."""
        metrics = _confirmed_metrics(trial)
        self._work.put(lambda: self._log_confirmed(trial, metrics))

    def close(self, best: TrialRecord | None, status: SweepStatus, patience_s: float) -> int:
        """Log the winner, close the parent run, and wait for the queued writes.

        Args:
            best: the winner, None without one.
            status: how the sweep ended.
            patience_s: seconds from now in which failed writes are tried again; then the rest is given up.

        Returns:
            Number of writes that the server never accepted.
        """
        self._work.put(lambda: self._end_parent(best, status))
        self._work.put(None)
        self._deadline = time.monotonic() + patience_s
        self._thread.join()
        return self._lost

    def _drain(self) -> None:
        away = False
        while (write := self._work.get()) is not None:
            if away and self._past_deadline():
                self._lost += 1
                continue
            away = not self._write(write)
            self._lost += away

    def _write(self, write: Callable[[], None]) -> bool:
        """Try a write until it succeeds or is given up; returns whether it succeeded."""
        while True:
            try:
                write()
                return True
            except Exception as error:
                log.warning("MLflow did not take a write: %s", error)
                if not _is_temporary(error) or self._past_deadline():
                    return False
                time.sleep(_RETRY_S)

    def _past_deadline(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._info.space)
        if found is not None:
            return found.experiment_id
        # A local store keeps its artifacts beside its database; a server decides itself.
        database = self._info.tracking_uri.removeprefix("sqlite:///")
        local = database != self._info.tracking_uri
        root = (Path(database).parent / "mlartifacts").as_uri() if local else None
        return self._client.create_experiment(self._info.space, artifact_location=root, tags=EXPERIMENT_TAGS)

    def _run(self, name: str, tags: dict[str, str]) -> str:
        """The run with these tags; looked up first, so that writing again never makes a second one."""
        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = self._client.search_runs([self._experiment_id], query, max_results=1)
        if found:
            return found[0].info.run_id
        run = self._client.create_run(self._experiment_id, run_name=name, tags=tags)
        return run.info.run_id

    def _describe_parent(self) -> None:
        info = self._info
        values = {"space": info.space, "data": info.data, "n_real": info.n_real, "synthetic": info.synthetic}
        values |= {"objective": info.objective, "trials": info.trials}
        self._client.log_batch(self.parent_id, params=_params(values))
        self._client.log_artifact(self.parent_id, str(self._store.directory / "space.yaml"))

    def _run_id(self, trial: TrialRecord) -> str:
        if trial.trial_id not in self._runs:
            tags = {SWEEP_TAG: self._info.sweep, TRIAL_TAG: trial.trial_id, "mlflow.parentRunId": self.parent_id}
            self._runs[trial.trial_id] = self._run(f"trial {trial.trial_id}", tags)
        return self._runs[trial.trial_id]

    def _start_trial(self, trial: TrialRecord) -> None:
        values = trial.params if trial.config is None else trial.config.flat()
        self._client.log_batch(self._run_id(trial), params=_params(values | {"n_real": self._info.n_real}))
        if trial.config is not None:
            self._client.log_artifact(self._run_id(trial), str(self._store.trials_dir / trial.trial_id / "config.yaml"))

    def _log_epoch(self, trial: TrialRecord, report: EpochReport) -> None:
        values = {**report.logged, "images_seen": report.images_seen}
        if (newest := report.measurement) is not None:
            # Older versions wrote measurements without a name, all on the objective's number of fakes.
            values[newest.name or self._info.objective] = newest.fid
        if report.objective is not None:
            values["objective"] = report.objective
        stamp = int(report.ended * 1000)
        metrics = [Metric(name, value, stamp, report.epoch) for name, value in values.items()]
        self._client.log_batch(self._run_id(trial), metrics=metrics)
        if report.samples is not None:
            with Image.open(self._store.trials_dir / trial.trial_id / report.samples) as grid:
                self._client.log_image(self._run_id(trial), grid, key="samples", step=report.epoch)

    def _end_trial(self, trial: TrialRecord, state: State, verdict: str, detail: str) -> None:
        tags = [RunTag("verdict", verdict), RunTag("state", state.value), RunTag("detail", detail)]
        self._client.log_batch(self._run_id(trial), tags=tags)
        self._client.set_terminated(self._run_id(trial), status=_STATUS[state])

    def _log_confirmed(self, trial: TrialRecord, metrics: list[Metric]) -> None:
        self._client.log_batch(self._run_id(trial), metrics=metrics)

    def _end_parent(self, best: TrialRecord | None, status: SweepStatus) -> None:
        if best is not None and best.objective is not None:
            metrics = [Metric("objective", best.objective, int(time.time() * 1000), 0), *_confirmed_metrics(best)]
            self._client.log_batch(self.parent_id, metrics=metrics, tags=[RunTag("best_trial", best.trial_id)])
        reached = status in (SweepStatus.FINISHED, SweepStatus.TARGET_REACHED)
        self._client.set_terminated(self.parent_id, status="FINISHED" if reached else "KILLED")


def _confirmed_metrics(trial: TrialRecord) -> list[Metric]:
    """Confirmed mean and spread, at the checkpoint's epoch; none without a new measurement, no spread of one value."""
    values = {"objective_mean": trial.objective_mean, "objective_spread": trial.objective_spread}
    stamp, step = int(time.time() * 1000), trial.best_epoch or 0
    return [Metric(name, value, stamp, step) for name, value in values.items() if value is not None]


def _params(values: dict[str, Any]) -> list[Param]:
    return [Param(name, str(value)) for name, value in values.items()]


def _is_temporary(error: Exception) -> bool:
    """Whether trying again can help: it cannot when the server refuses, when a disk is full, or when our own file
    is missing."""
    if is_full(error):
        return False
    if isinstance(error, MlflowException):
        return error.error_code not in _REFUSALS
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
