"""Writes what happens to a sweep to an MLflow server or store. Every write may be repeated: that changes nothing."""

import logging
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # we look before we try again
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from PIL import Image

from orchestrator.results.databases import check_database
from orchestrator.results.places import SPACE_FILE
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.sinks import Sink
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import State, SweepStatus
from orchestrator.space.space import Space
from orchestrator.space.yaml_text import dump_yaml
from orchestrator.tracking.patience import Patience
from orchestrator.tracking.refusals import Unreachable, is_temporary
from orchestrator.tracking.runs import Runs
from trainers.errors import UserError, first_line
from trainers.folders import inside
from trainers.masking import masked
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)

MOST_METRICS = 1000  # of one request, as MLflow allows
_STATUS = {State.COMPLETED: "FINISHED", State.PRUNED: "KILLED", State.STOPPED: "KILLED", State.FAILED: "FAILED"}


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


class MlflowSink(Sink):
    """Writes a sweep to MLflow: a parent run for the sweep, and a run for each trial.

    Args:
        directory: of the sweep, with sample grids.
        plan: of the sweep.
        space: resolves a trial's config.
        tracking_uri: MLflow's, with its secrets.
        patience: how long the server is waited for.

    Attributes:
        refused: number of writes that the server refused.
        refusal: what it said of the first.
    """

    def __init__(self, directory: Path, plan: SavedPlan, space: Space, tracking_uri: str, patience: Patience) -> None:
        self.refused, self.refusal = 0, ""
        self._directory, self._plan, self._space, self._patience = directory, plan, space, patience
        self._runs = Runs(directory, plan, tracking_uri)
        self._metrics: dict[str, tuple[TrialRecord, list[Metric]]] = {}  # by trial, not written yet
        self._pictures: dict[str, set[int]] = {}  # by trial, epochs whose grids are there

    def opened(self, state: SweepState) -> None:
        """Open the sweep's run, or open it again."""
        self._try(lambda: self._open_parent(state))

    def started(self, trial: TrialRecord) -> None:
        """Open the trial's run and log its config, or open it again."""
        self._try(lambda: self._open_trial(trial))

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Log the epoch's metrics, by the next `flush` at the latest, and its sample grid where it has one."""
        new = self._metrics_of(report)
        if len(self._metrics.get(trial.trial_id, (trial, []))[1]) + len(new) > MOST_METRICS:
            self.flush()
        self._metrics.setdefault(trial.trial_id, (trial, []))[1].extend(new)
        if report.samples is not None:
            file = inside(self._directory, f"trials/{trial.trial_id}/{report.samples}")
            try:
                with Image.open(file) as grid:
                    grid.load()
            except OSError as error:  # deleted or damaged: no server is at fault
                log.warning("%s is left out: %s", file, error)
                return
            self._try(lambda: self._log_grid(trial, report, grid))

    def ended(self, trial: TrialRecord) -> None:
        """Log how it ended and close its run."""
        self.flush()
        self._try(lambda: self._end_trial(trial))

    def confirmed(self, trial: TrialRecord) -> None:
        """Log mean and spread of its confirmed FIDs."""
        self._try(lambda: self._runs.client.log_batch(self._runs.trial(trial)[0], metrics=_confirmed_metrics(trial)))

    def closed(self, state: SweepState) -> None:
        """Log the winner and close the sweep's run."""
        self._try(lambda: self._close_parent(state))

    def flush(self) -> None:
        """Write the metrics that wait."""
        for trial, metrics in self._metrics.values():
            self._try(partial(self._log_metrics, trial, metrics))
        self._metrics = {}

    def _try(self, write: Callable[[], object]) -> None:
        """Write, as often as it takes.

        Raises:
            Unreachable: the server has not taken it, and nobody waits any longer.
        """
        cause = None
        while not self._patience.over:
            try:
                write()
            except Exception as error:
                level = logging.WARNING if cause is None else logging.DEBUG  # a server may be away for days
                log.log(level, "MLflow did not take a write: %s", masked(str(error)))
                if is_temporary(error):
                    cause = error
                    self._patience.wait()
                    continue
                self.refused, self.refusal = self.refused + 1, self.refusal or first_line(error)
            self._patience.renew()
            return
        raise Unreachable("there is no time for more" if cause is None else first_line(cause))

    def _open_parent(self, state: SweepState) -> None:
        run, there = self._runs.sweep(state.sessions[-1].opened.at)
        if there:
            self._runs.client.update_run(run, status="RUNNING")
        plan = self._plan
        values = {"space": plan.space, "data": plan.data, "n_real": plan.n_real, "synthetic": plan.synthetic}
        values |= {"objective": plan.objective, "trials": plan.trials}
        self._runs.client.log_batch(run, params=_params(values))
        self._runs.client.log_artifact(run, str(self._directory / SPACE_FILE))

    def _open_trial(self, trial: TrialRecord) -> None:
        run, there = self._runs.trial(trial)
        if there:
            self._runs.client.update_run(run, status="RUNNING")
        try:
            config = self._space.resolve(trial.params)
        except UserError:  # its gang meets the same error, which becomes the trial's verdict
            self._runs.client.log_batch(run, params=_params(trial.params | {"n_real": self._plan.n_real}))
            return
        self._runs.client.log_batch(run, params=_params(config.flat() | {"n_real": self._plan.n_real}))
        self._runs.client.log_text(run, dump_yaml(config.model_dump()), "config.yaml")

    def _metrics_of(self, report: EpochReport) -> list[Metric]:
        values = {**report.logged, "images_seen": report.images_seen}
        if (newest := report.measurement) is not None:
            # Older versions wrote measurements without a name, all on the objective's number of fakes.
            values[newest.name or self._plan.objective] = newest.fid
        if report.objective is not None:
            values["objective"] = report.objective
        stamp = int(report.ended * 1000)
        return [Metric(name, value, stamp, report.epoch) for name, value in values.items()]

    def _log_metrics(self, trial: TrialRecord, metrics: list[Metric]) -> None:
        self._runs.client.log_batch(self._runs.trial(trial)[0], metrics=metrics)

    def _log_grid(self, trial: TrialRecord, report: EpochReport, grid: Image.Image) -> None:
        run = self._runs.trial(trial)[0]
        if trial.trial_id not in self._pictures:
            there = (item.path for item in self._runs.client.list_artifacts(run, "images"))
            self._pictures[trial.trial_id] = {
                int(step) for path in there for step in re.findall(r"step\D(\d+)\D", path)
            }
        if report.epoch in self._pictures[trial.trial_id]:
            return
        self._runs.client.log_image(run, grid, key="samples", step=report.epoch, timestamp=int(report.ended * 1000))
        self._pictures[trial.trial_id].add(report.epoch)

    def _end_trial(self, trial: TrialRecord) -> None:
        tags = {"verdict": str(trial.verdict), "state": trial.state.value, "detail": trial.detail}
        run, _ = self._runs.trial(trial)
        self._runs.settle(trial.trial_id)
        self._runs.client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])
        self._runs.client.set_terminated(run, _STATUS[trial.state], _milliseconds(trial.ended))

    def _close_parent(self, state: SweepState) -> None:
        closed, best = state.sessions[-1].closed, best_trial(list(state.trials.values()))
        assert closed is not None
        run, _ = self._runs.sweep(state.sessions[-1].opened.at)
        self._runs.settle()
        if best is not None and best.objective is not None:
            metrics = [
                Metric("objective", best.objective, int(closed.ended * 1000), state.session),
                *_confirmed_metrics(best),
            ]
            self._runs.client.log_batch(run, metrics=metrics, tags=[RunTag("best_trial", best.trial_id)])
        reached = state.status in (SweepStatus.FINISHED, SweepStatus.TARGET_REACHED)
        self._runs.client.set_terminated(run, "FINISHED" if reached else "KILLED", _milliseconds(closed.ended))


def _confirmed_metrics(trial: TrialRecord) -> list[Metric]:
    """Confirmed mean and spread, at the checkpoint's epoch; none without a new measurement, no spread of one value."""
    values = {"objective_mean": trial.objective_mean, "objective_spread": trial.objective_spread}
    stamp, step = _milliseconds(trial.ended) or 0, trial.best_epoch or 0
    return [Metric(name, value, stamp, step) for name, value in values.items() if value is not None]


def _milliseconds(at: float | None) -> int | None:
    return None if at is None else int(at * 1000)


def _params(values: dict[str, Any]) -> list[Param]:
    return [Param(name, str(value)) for name, value in values.items()]
