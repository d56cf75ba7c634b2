"""A sweep as tidy tables: a row per trial, and a row per trial and epoch; one column per thing, with its own type."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import pyarrow as pa

from orchestrator.results.argument import parted_uri
from orchestrator.results.places import sweeps_root
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.repeats import setting_of
from orchestrator.results.spending import Spending, spending_of
from orchestrator.results.standing import last_sign
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore, find_sweep
from orchestrator.space.domains import value_text
from trainers.remote import is_uri, local_copy
from trainers.run_report import EpochReport

_TIME = pa.timestamp("ms", tz="UTC")
_TRIAL = {
    "sweep": pa.string(),
    "number": pa.int64(),
    "trial_id": pa.string(),
    "winner": pa.bool_(),
    "state": pa.string(),
    "verdict": pa.string(),
    "detail": pa.string(),
    "protocol": pa.string(),
    "objective": pa.float64(),
    "objective_mean": pa.float64(),
    "objective_spread": pa.float64(),
    "confirmed_seeds": pa.int64(),
    "refused": pa.string(),
    "repeat_of": pa.string(),
    "seeds_mean": pa.float64(),
    "seeds_spread": pa.float64(),
    "seeds_n": pa.int64(),
    "seeds_failed": pa.int64(),
    "best_epoch": pa.int64(),
    "epochs": pa.int64(),
    "total_epochs": pa.int64(),
    "lowest_fid": pa.float64(),
    "last_fid": pa.float64(),
    "last_fid_epoch": pa.int64(),
    "last_fid_n": pa.int64(),
    "n_fake": pa.int64(),
    "seconds": pa.float64(),
    "fid_seconds": pa.float64(),
    "epoch_seconds": pa.float64(),
    "gpu_hours": pa.float64(),
    "cost": pa.float64(),
    "images_per_second": pa.float64(),
    "started": _TIME,
    "ended": _TIME,
}
_EPOCH = {
    "sweep": pa.string(),
    "number": pa.int64(),
    "trial_id": pa.string(),
    "epoch": pa.int64(),
    "images_seen": pa.int64(),
    "fid": pa.float64(),
    "protocol": pa.string(),
    "n_fake": pa.int64(),
    "fakes_hardly_vary": pa.bool_(),
    "objective": pa.float64(),
    "best_epoch": pa.int64(),
    "seconds": pa.float64(),
    "training_seconds": pa.float64(),
    "started": _TIME,
    "ended": _TIME,
    "samples": pa.string(),
    "checkpoint": pa.int64(),
}
# So that a whole number stays one, and a bool a bool, in a column that has gaps.
_PANDAS = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.string(): pd.StringDtype()}


class Tables:
    """A sweep's tables, each read when it is first asked for; `trials` needs the log alone, whatever its length.

    Args:
        store: of the sweep.

    Attributes:
        store: the same.
        state: how the sweep stood when this was made.
    """

    def __init__(self, store: ResultsStore) -> None:
        self.store, self.state = store, store.read_state()

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial that has started, by number; a repeat has the number of its setting's trial.

        Columns: as in ``gan-sweep results --format json``; ``protocol``, the name of the objective; the costs of a
        second objective; of the trials that were measured again the means of what was measured beside FID; and every
        searched key under its dotted name. A key that a trial does not have is empty, as is one whose value is null.
        ``gpu_hours`` is empty on CPUs, ``cost`` (US dollars) without a price; of the whole sweep both are more, see
        `orchestrator.results.spending`. ``winner`` is true in one row at most.
        """
        return _as_pandas(self.trials_arrow)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """One row per trial and epoch: FID where it was measured, and every metric that any trial has.

        ``protocol`` and ``n_fake`` are those of that epoch's FID: compare values of one protocol only. ``seconds`` are
        of the whole epoch, ``training_seconds`` without FID, samples and checkpoint.
        """
        return _as_pandas(self.epochs_arrow)

    @cached_property
    def trials_arrow(self) -> pa.Table:
        """`trials` as an Arrow table."""
        trials = self.state.by_number()
        best = best_trial(trials)
        spent = spending_of(self.state, last_sign(self.store.directory, self.state))
        rows = [_trial_row(self.state, trial, spent, winner=trial is best) for trial in trials]
        columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in _TRIAL.items()}
        for cost in dict.fromkeys(name for trial in trials for name in trial.costs):
            columns[cost] = pa.array([trial.costs.get(cost) for trial in trials], pa.float64())
        for name in dict.fromkeys(name for trial in trials for one in trial.confirmed_beside for name in one):
            found = [[one[name] for one in trial.confirmed_beside if name in one] for trial in trials]
            columns[name] = pa.array([fmean(values) if values else None for values in found], pa.float64())
        for key, possible in _searched(self.state).items():
            columns[key] = _of_one_type([trial.params.get(key) for trial in trials], possible)
        return pa.table(columns)

    @cached_property
    def epochs_arrow(self) -> pa.Table:
        """`epochs` as an Arrow table."""
        empty = pa.schema(list(_EPOCH.items())).empty_table()
        return pa.concat_tables([empty, *self._epochs_of_each()], promote_options="default").combine_chunks()

    def _epochs_of_each(self) -> Iterator[pa.Table]:
        for trial in self.state.by_number():
            reports = self.store.read_history(trial.trial_id)
            rows = [_epoch_row(self.state.plan.sweep, trial, report) for report in reports]
            columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in _EPOCH.items()}
            for metric in dict.fromkeys(name for report in reports for name in report.logged):
                columns[metric] = pa.array([report.logged.get(metric) for report in reports], pa.float64())
            yield pa.table(columns)


def load_tables(sweep: str, sweeps_dir: str) -> Tables:
    """See `orchestrator.results.load`."""
    if is_uri(sweep):
        sweeps_dir, sweep = parted_uri(sweep)
    folder = local_copy(sweeps_dir, sweeps_root()) if is_uri(sweeps_dir) else Path(sweeps_dir)
    return Tables(find_sweep(sweep, folder))


def _trial_row(state: SweepState, trial: TrialRecord, spent: Spending, *, winner: bool) -> dict[str, Any]:
    seeds = trial.seeds
    given = {
        "sweep": state.plan.sweep,
        "number": trial.number,
        "winner": winner,
        "repeat_of": setting_of(trial.trial_id) if trial.is_repeat else None,
        "seeds_mean": seeds.mean,
        "seeds_spread": seeds.spread,
        "seeds_n": len(seeds.values),
        "seeds_failed": seeds.failed,
        "state": trial.state.value,
        "protocol": state.plan.objective,
        "confirmed_seeds": len(trial.confirmed),
        "started": _milliseconds(trial.started),
        "ended": _milliseconds(trial.ended),
        **spent.of_trial(trial.trial_id),
    }
    return {name: given[name] if name in given else getattr(trial, name) for name in _TRIAL}


def _epoch_row(sweep: str, trial: TrialRecord, report: EpochReport) -> dict[str, Any]:
    fid = report.measurement
    return {
        **{name: getattr(report, name, None) for name in _EPOCH},
        "sweep": sweep,
        "number": trial.number,
        "trial_id": trial.trial_id,
        "fid": fid and fid.fid,
        "protocol": fid and fid.name,
        "n_fake": fid and fid.n_fake,
        "fakes_hardly_vary": fid and fid.collapsed,
        "seconds": report.ended - report.started,
        "training_seconds": report.trained - report.started,
        "started": _milliseconds(report.started),
        "ended": _milliseconds(report.ended),
    }


def _milliseconds(at: float | None) -> int | None:
    return None if at is None else round(1000 * at)


def _searched(state: SweepState) -> dict[str, list[Any]]:
    """The searched keys, in the space's order, each with values of its domain, which tell its type."""
    search = state.plan.definition.get("search", {})
    found = {
        key: [float(bound) for bound in domain.get("float", [])] + domain.get("int", []) + domain.get("choice", [])
        for key, domain in search.items()
    }
    return found | {key: [] for trial in state.trials.values() for key in trial.params if key not in found}


def _of_one_type(values: list[Any], possible: list[Any]) -> pa.Array:
    """`values` as whole numbers, numbers, bools or texts: the first of these that holds all of a key's values."""
    kinds = {type(value) for value in (*values, *possible) if value is not None}
    for kind, allowed in ((pa.bool_(), {bool}), (pa.int64(), {int}), (pa.float64(), {int, float})):
        if kinds <= allowed:
            return pa.array(values, kind)
    return pa.array([None if value is None else value_text(value) for value in values], pa.string())


def _as_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS.get)
    return frame
