"""Writes what happens to a sweep to an MLflow server or store. Every write may be repeated: that changes nothing."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TypeVar

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # we look before we try again
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault(
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true"
)  # of each run that ends, which it asks for first

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from orchestrator.results.databases import check_database
from orchestrator.results.places import SPACE_FILE
from orchestrator.results.records import TrialRecord, best_trial, ranked
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.sinks import Sink
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import State, SweepStatus
from orchestrator.space.space import Space
from orchestrator.space.yaml_text import dump_yaml
from orchestrator.tracking.described import (
    TOP,
    dataset_of,
    end_tags,
    in_digits,
    params_of,
    run_name,
    tags_of,
    trial_params,
    trial_tags,
)
from orchestrator.tracking.grids import fetch
from orchestrator.tracking.patience import Patience
from orchestrator.tracking.refusals import Unreachable, is_race, is_temporary
from orchestrator.tracking.runs import Runs
from orchestrator.tracking.seeds import seeds_metrics, winning_setting
from orchestrator.tracking.trial_pictures import TrialPictures, open_grid
from orchestrator.tracking.trial_writes import Batch, TrialWrites, grouped, joined
from orchestrator.tracking.view import write_views
from trainers.config import TrainConfig
from trainers.errors import UserError, first_line
from trainers.folders import inside
from trainers.masking import masked
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)

CHECKPOINT = "best.pt"  # of a trial; `trainers.checkpoint` imports torch
MOST_WAITING = 20_000  # metrics that wait: so many are kept in memory, and written again when the driver dies
# MLflow shows KILLED as red as FAILED: pruning is as planned, but what the sweep's end cut short is not complete.
MOST_RACES = 3  # that one write may lose
_STATUS = {State.COMPLETED: "FINISHED", State.PRUNED: "FINISHED", State.STOPPED: "KILLED", State.FAILED: "FAILED"}
_SWEEP_STATUS = {
    SweepStatus.FINISHED: "FINISHED",
    SweepStatus.TARGET_REACHED: "FINISHED",
    SweepStatus.FAILED: "FAILED",
}

_T = TypeVar("_T")


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

    What is said of trials waits until `flush`, which writes all of a trial together: the longer a server takes, the
    more epochs that are.

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
        self._waiting: dict[str, TrialWrites] = {}  # by trial, in the order in which something was said of them
        self._metrics = 0  # that wait
        self._pictures = TrialPictures(directory, Path(plan.data))

    @property
    def full(self) -> bool:
        """Whether enough waits for a `flush`."""
        return self._metrics >= MOST_WAITING

    def nobody_else_writes(self, state: SweepState) -> None:
        """From now on, runs of trials that are not in this state are not there yet."""
        self._runs.new_but(state.trials)

    def opened(self, state: SweepState) -> None:
        """Open the sweep's run, or open it again."""
        self.flush()
        self._try(lambda: self._open_parent(state))

    def started(self, trial: TrialRecord) -> None:
        """Open the trial's run and log its config, or open it again, at the next `flush`."""
        self._writes(trial).opens = True

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Log the epoch's metrics, and its sample grid where it has one, at the next `flush`."""
        self._add(trial, self._metrics_of(trial, report))
        if report.samples is not None:
            self._writes(trial).grids.append(report)

    def ended(self, trial: TrialRecord) -> None:
        """Log how it ended and close its run, at the next `flush`."""
        self._writes(trial).ends = True

    def confirmed(self, trial: TrialRecord) -> None:
        """Log mean and spread of its confirmed FIDs, and its nearest real images, at the next `flush`."""
        self._add(trial, _confirmed_metrics(trial))
        self._writes(trial).again = True

    def closed(self, state: SweepState) -> None:
        """Log the winner and close the sweep's run, log the best generator, and rank the trials."""
        self.flush()
        self._try(lambda: self._close_parent(state))
        if state.status not in (SweepStatus.INTERRUPTED, SweepStatus.FAILED):
            self.model(state, self._plan.register)
        for setting in state.by_number():
            if setting.repeats:
                self._try(partial(self._log_seeds, setting, state))
        measured = [one for one in state.trials.values() if (one.objective, one.lowest_fid) != (None, None)]
        for place, trial in enumerate(ranked(measured), 1):
            self._try(partial(self._rank, trial, place))

    def model(self, state: SweepState, register_as: str) -> None:
        """Log the winner's generator as a model, where its checkpoint is here.

        Args:
            state: of the sweep.
            register_as: name of the registered model whose champion it becomes; empty: of none.
        """
        best = best_trial(list(state.trials.values()))
        if best is None or best.objective is None:
            return
        name = f"trials/{best.trial_id}/{CHECKPOINT}"
        fetch(self._directory, name)
        if not (file := inside(self._directory, name)).is_file():
            log.warning("%s is not here: its generator is not logged", file)
            return
        self._try(lambda: self._log_model(best, file, register_as))

    def flush(self) -> None:
        """Write what waits.

        Raises:
            Unreachable: the server has not taken all of it, and nobody waits any longer.
        """
        waiting, self._waiting, self._metrics = self._waiting, {}, 0
        for writes in waiting.values():
            self._write(writes)

    def _writes(self, trial: TrialRecord) -> TrialWrites:
        return self._waiting.setdefault(trial.trial_id, TrialWrites(trial=trial))

    def _add(self, trial: TrialRecord, metrics: list[Metric]) -> None:
        self._writes(trial).metrics.append(metrics)
        self._metrics += len(metrics)

    def _write(self, writes: TrialWrites) -> None:
        """Write what waits of one trial."""
        trial, config = writes.trial, self._config(writes.trial)
        params = self._try(lambda: self._open_trial(trial, config)) if writes.opens else None
        if config is not None:
            for report in writes.grids:
                self._try(partial(self._log_grid, trial, report, config))
        parts = [Batch(params=params or []), *(Batch(metrics=metrics) for metrics in writes.metrics)]
        if writes.ends:
            grid = self._try(lambda: self._prepare_end(trial, config))
            parts.append(Batch(tags=end_tags(trial, self._plan, grid)))
        for group in grouped(parts):
            self._log(trial, group)
        if writes.again:
            self._try(lambda: self._log_likenesses(trial))
        if writes.ends:
            self._try(lambda: self._end_trial(trial))

    def _log(self, trial: TrialRecord, parts: list[Batch]) -> None:
        """Write all parts in one request; where MLflow refuses that, each in one: one bad name costs one epoch."""

        def together() -> None:
            run, batch = self._runs.trial(trial)[0], joined(parts)
            self._runs.client.log_batch(run, batch.metrics, batch.params, batch.tags)

        def each() -> None:
            for part in parts:
                self._log(trial, [part])

        self._try(together, each if len(parts) > 1 else None)

    def _try(self, write: Callable[[], _T], otherwise: Callable[[], object] | None = None) -> _T | None:
        """Write, as often as it takes; returns what `write` returns, None where the server refuses.

        Args:
            write: may be repeated.
            otherwise: what to do where the server refuses; None: that is counted.

        Raises:
            Unreachable: the server has not taken it, and nobody waits any longer.
        """
        cause, races = None, 0
        while not self._patience.over:
            try:
                written = write()
            except Exception as error:
                level = logging.WARNING if cause is None else logging.DEBUG  # a server may be away for days
                log.log(level, "MLflow did not take a write: %s", masked(str(error)))
                races += is_race(error)
                if is_temporary(error) or (is_race(error) and races <= MOST_RACES):
                    cause = error
                    self._patience.wait()
                    continue
                if otherwise is not None:
                    otherwise()
                    return None
                self.refused, self.refusal = self.refused + 1, self.refusal or first_line(error)
                written = None
            self._patience.renew()
            return written
        raise Unreachable("there is no time for more" if cause is None else first_line(cause))

    def _open_parent(self, state: SweepState) -> None:
        client, plan = self._runs.client, self._plan
        run, there = self._runs.sweep(state.sessions[-1].opened.at)
        if there:
            client.update_run(run, status="RUNNING")
        values = {"space": plan.space, "data": plan.data, "n_real": plan.n_real, "synthetic": plan.synthetic}
        values |= {"objective": plan.objective, "trials": plan.trials}
        client.log_batch(run, params=self._new(run, params_of(values), there=there))
        self._log_dataset(run)
        client.log_artifact(run, str(self._directory / SPACE_FILE))
        write_views(client, self._runs.experiment(), run, plan, self._space)

    def _open_trial(self, trial: TrialRecord, config: TrainConfig | None) -> list[Param]:
        """Returns the parameters that are to be written."""
        client, tags = self._runs.client, trial_tags(trial, self._plan, config)
        run, there = self._runs.trial(trial, tags)
        if there:
            client.update_run(run, status="RUNNING", name=run_name(trial, self._plan))
            client.log_batch(run, tags=tags_of(tags))
        self._log_dataset(run)
        if config is not None:
            client.log_text(run, dump_yaml(config.model_dump()), "config.yaml")
        return self._new(run, trial_params(trial, self._space, config), there=there)

    def _log_dataset(self, run: str) -> None:
        """Where two sweeps do it at once, MLflow (3.17) makes the dataset for one and refuses the other."""
        inputs = [dataset_of(self._plan)]
        try:
            self._runs.client.log_inputs(run, inputs)
        except MlflowException as error:
            if error.error_code != "BAD_REQUEST":
                raise
            self._runs.client.log_inputs(run, inputs)

    def _new(self, run: str, params: list[Param], *, there: bool) -> list[Param]:
        """Those that the run does not have: MLflow refuses another text, such as an older version wrote."""
        known = self._runs.client.get_run(run).data.params if there else {}
        return [param for param in params if param.key not in known]

    def _config(self, trial: TrialRecord) -> TrainConfig | None:
        """A trial's config; None where its gang meets an error instead, which becomes the trial's verdict."""
        try:
            return self._space.resolve(trial.params)
        except UserError:
            return None

    def _metrics_of(self, trial: TrialRecord, report: EpochReport) -> list[Metric]:
        values = {**report.logged, "images_seen": report.images_seen, "seconds": trial.seconds}
        if (newest := report.measurement) is not None:
            # Older versions wrote measurements without a name, all on the objective's number of fakes.
            values[newest.name or self._plan.objective] = newest.fid
        so_far = {"objective": report.objective, "best_epoch": report.best_epoch}
        so_far |= {"fid_best": trial.lowest_fid, "fid_share": trial.fid_share}
        values |= {name: in_digits(value) for name, value in so_far.items() if value is not None}
        stamp = int(report.ended * 1000)
        return [Metric(name, value, stamp, report.epoch) for name, value in values.items()]

    def _log_grid(self, trial: TrialRecord, report: EpochReport, config: TrainConfig) -> None:
        grid = open_grid(self._directory, trial.trial_id, str(report.samples))
        if grid is not None:
            run = self._runs.trial(trial)[0]
            self._pictures.log_grid(self._runs.client, run, grid, config, report.epoch, report.ended)

    def _log_likenesses(self, trial: TrialRecord) -> None:
        run, _ = self._runs.trial(trial)
        self._pictures.log_likenesses(self._runs.client, run, trial)

    def _prepare_end(self, trial: TrialRecord, config: TrainConfig | None) -> str | None:
        """Log what a run has only at its end; returns the address of its best grid."""
        run, _ = self._runs.trial(trial, trial_tags(trial, self._plan, config))
        self._runs.settle(trial.trial_id)
        return None if config is None else self._pictures.log_best(self._runs.client, run, trial, config)

    def _end_trial(self, trial: TrialRecord) -> None:
        run, _ = self._runs.trial(trial)
        self._runs.client.set_terminated(run, _STATUS[trial.state], _milliseconds(trial.ended))

    def _close_parent(self, state: SweepState) -> None:
        closed, best = state.sessions[-1].closed, best_trial(list(state.trials.values()))
        assert closed is not None
        run, _ = self._runs.sweep(state.sessions[-1].opened.at)
        self._runs.settle()
        if best is not None and best.objective is not None:
            stamp = int(closed.ended * 1000)
            of_seeds, said = winning_setting(state.by_number(), stamp, state.session)
            metrics = [
                Metric("objective", in_digits(best.objective), stamp, state.session),
                *_confirmed_metrics(best),
                *of_seeds,
            ]
            self._runs.client.log_batch(run, metrics=metrics, tags=[RunTag("best_trial", best.trial_id), *said])
        self._runs.client.set_terminated(run, _SWEEP_STATUS.get(state.status, "KILLED"), _milliseconds(closed.ended))

    def _log_model(self, best: TrialRecord, checkpoint: Path, register_as: str) -> None:
        from orchestrator.tracking.winner_model import log_winner, register

        run, _ = self._runs.trial(best)
        model = log_winner(self._runs.client, self._runs.experiment(), run, self._plan, best, checkpoint)
        if register_as:
            register(self._runs.client, register_as, model, run)

    def _log_seeds(self, setting: TrialRecord, state: SweepState) -> None:
        closed = state.sessions[-1].closed
        assert closed is not None
        metrics = seeds_metrics(setting, int(closed.ended * 1000), setting.best_epoch or 0)
        self._runs.client.log_batch(self._runs.trial(setting)[0], metrics=metrics)

    def _rank(self, trial: TrialRecord, place: int) -> None:
        tags = {"rank": str(place), "top10": str(place <= TOP).lower()}
        self._runs.client.log_batch(self._runs.trial(trial)[0], tags=tags_of(tags))


def _confirmed_metrics(trial: TrialRecord) -> list[Metric]:
    """Confirmed mean and spread, at the checkpoint's epoch; none without a new measurement, no spread of one value.

    Of what was measured beside FID the means.
    """
    beside = trial.measured_beside if trial.confirmed_beside else {}
    means = {f"{name}_mean": fmean(found) for name, found in beside.items()}
    values = {"objective_mean": trial.objective_mean, "objective_spread": trial.objective_spread}
    stamp, step = _milliseconds(trial.ended) or 0, trial.best_epoch or 0
    rounded = {name: in_digits(value) for name, value in values.items() if value is not None}
    return [Metric(name, value, stamp, step) for name, value in {**rounded, **means}.items()]


def _milliseconds(at: float | None) -> int | None:
    return None if at is None else int(at * 1000)
