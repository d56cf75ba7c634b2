"""Everything lands in MLflow, written in batches by a thread of its own, so that a slow server slows nothing down.

What a server refuses is tried again; what it never took is counted and said. The sweep's directory has it in any case.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from PIL import Image

from orchestrator.recorder import Sink
from orchestrator.results.records import State, TrialRecord
from orchestrator.results.store import ResultsStore, SweepInfo
from orchestrator.space import Space
from trainers.errors import UserError
from trainers.report import EpochReport

log = logging.getLogger(__name__)

SWEEP_TAG, TRIAL_TAG = "gan_sweep.sweep", "gan_sweep.trial"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # MLflow opens it as training, not as GenAI
_STATUS = {State.COMPLETED: "FINISHED", State.PRUNED: "KILLED", State.FAILED: "FAILED"}
_PATIENCE_S = 60.0  # a server may be away this long at the end of a sweep before the rest is given up


def check_tracking(uri: str) -> None:
    """Find out whether MLflow answers at `uri`, before anything is started.

    Raises:
        UserError: it does not.
    """
    try:
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        raise UserError(f"MLflow does not answer at {uri}: {str(error).splitlines()[0]}") from None


class MlflowTracker(Sink):
    """Writes a sweep to an MLflow server or store.

    Args:
        info: the sweep.
        space: resolves each trial's config.
        store: where sample grids and configs lie.
    """

    def __init__(self, info: SweepInfo, space: Space, store: ResultsStore) -> None:
        self._info, self._space, self._store = info, space, store
        self._client = MlflowClient(tracking_uri=info.tracking_uri)
        self._runs: dict[str, str] = {}
        self._experiment_id = self._experiment()
        self.parent_id = self._run(f"sweep {info.sweep}", {SWEEP_TAG: info.sweep, TRIAL_TAG: "none"})
        self._describe_parent()
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._lost = 0
        self._giving_up_at: float | None = None
        self._thread = threading.Thread(target=self._drain, name="mlflow", daemon=True)
        self._thread.start()

    def started(self, trial: TrialRecord) -> None:
        """Open the trial's run and log its config."""
        self._work.put(lambda: self._start_trial(trial.trial_id, trial.params))

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Log the epoch's metrics, and its sample grid where it has one."""
        self._work.put(lambda: self._log_epoch(trial.trial_id, report))

    def ended(self, trial: TrialRecord) -> None:
        """Log how it ended and close its run."""
        state, verdict, detail = trial.state, str(trial.verdict), trial.detail
        self._work.put(lambda: self._end_trial(trial.trial_id, state, verdict, detail))

    def close(self, best: TrialRecord | None, status: str) -> int:
        """Log the winner, close the parent run, wait for what is queued.

        Returns:
            How many writes the server never took.
        """
        self._work.put(lambda: self._end_parent(best, status))
        self._work.put(None)
        self._giving_up_at = time.monotonic() + _PATIENCE_S
        self._thread.join()
        return self._lost

    def _drain(self) -> None:
        while (write := self._work.get()) is not None:
            while True:
                try:
                    write()
                    break
                except (MlflowException, OSError) as error:
                    log.warning("MLflow did not take a write: %s", error)
                    if self._giving_up_at is not None and time.monotonic() > self._giving_up_at:
                        self._lost += 1
                        break
                    time.sleep(1.0)

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._info.space)
        if found is not None:
            return found.experiment_id
        local = self._info.tracking_uri.startswith("sqlite:")
        root = (self._store.directory / "mlartifacts").as_uri() if local else None
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

    def _start_trial(self, trial_id: str, params: dict[str, Any]) -> None:
        tags = {SWEEP_TAG: self._info.sweep, TRIAL_TAG: trial_id}
        run_id = self._run(f"trial {trial_id}", tags | {"mlflow.parentRunId": self.parent_id})
        self._runs[trial_id] = run_id
        values = self._space.resolve(params).flat() | {"n_real": self._info.n_real}
        self._client.log_batch(run_id, params=_params(values))
        self._client.log_artifact(run_id, str(self._store.trials_dir / trial_id / "config.yaml"))

    def _log_epoch(self, trial_id: str, report: EpochReport) -> None:
        values = {**report.metrics, "images_seen": report.images_seen}
        if report.fid is not None:
            values[self._info.objective] = report.fid
        if report.objective is not None:
            values["objective"] = report.objective
        stamp = int(report.ended * 1000)
        metrics = [Metric(name, value, stamp, report.epoch) for name, value in values.items()]
        self._client.log_batch(self._runs[trial_id], metrics=metrics)
        if report.samples is not None:
            with Image.open(self._store.trials_dir / trial_id / report.samples) as grid:
                self._client.log_image(self._runs[trial_id], grid, key="samples", step=report.epoch)

    def _end_trial(self, trial_id: str, state: State, verdict: str, detail: str) -> None:
        tags = [RunTag("verdict", verdict), RunTag("state", state.value), RunTag("detail", detail)]
        self._client.log_batch(self._runs[trial_id], tags=tags)
        self._client.set_terminated(self._runs[trial_id], status=_STATUS[state])

    def _end_parent(self, best: TrialRecord | None, status: str) -> None:
        if best is not None and best.objective is not None:
            metric = Metric("objective", best.objective, int(time.time() * 1000), 0)
            self._client.log_batch(self.parent_id, metrics=[metric], tags=[RunTag("best_trial", best.trial_id)])
        self._client.set_terminated(self.parent_id, status="FINISHED" if status == "finished" else "KILLED")


def _params(values: dict[str, Any]) -> list[Param]:
    return [Param(name, str(value)) for name, value in values.items()]
