"""Recorded runs: earlier sweeps' trials, or logs as CSV."""

import csv
import glob
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.results.repeats import searched
from orchestrator.results.store import ResultsStore, look_up_sweep, sweep_names
from orchestrator.space.yaml_text import read_yaml
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.folders import inside
from trainers.loss_scale import UNNAMED, LossScale
from trainers.metric_names import FID
from trainers.run_report import EpochReport, hardly_vary

NOT_METRICS = {"step", "epoch", "elapsed", "fid"}


@dataclass(frozen=True)
class Report:
    """One report of a recorded run: an epoch of a trial, or a row of a log.

    Attributes:
        step: the epoch, or the log's own count.
        metrics: its metrics by name.
        fid: its FID, None where none was measured.
        protocol: name of the FID's metric, None where it is not known.
        collapsed: the fakes of this FID hardly vary, so it is no objective; see `Measurement`.
    """

    step: int
    metrics: dict[str, float]
    fid: float | None = None
    protocol: str | None = None
    collapsed: bool = False


@dataclass(frozen=True)
class RecordedRun:
    """A recorded run.

    Attributes:
        name: the log's file name without its ending, or SWEEP/TRIAL.
        reports: in order.
        total: number of planned reports; a log is taken as complete.
        window_first: the step from which on FID counts as the objective.
        unit: what reports are called.
        mark: what a step is called.
        scale: what values of its losses mean; a log does not name its loss.
        behind: epochs of the checkpoint that it went on from (`gan-sweep extend`), which it has not trained; 0 for a
            start.
    """

    name: str
    reports: Sequence[Report] = field(repr=False)
    total: int
    window_first: int = 0
    unit: str = "rows"
    mark: str = "step"
    scale: LossScale = UNNAMED
    behind: int = 0

    @property
    def last_step(self) -> int:
        """The step of the last report."""
        return self.reports[-1].step

    def left_at(self, step: int) -> float:
        """Share of what was trained that came after a step."""
        return (self.last_step - step) / (self.last_step - self.behind)

    def best(self, until: int | None = None) -> float:
        """Lowest FID of the window up to the step `until`; NaN where there is none."""
        fids = [r.fid for r in self.reports if r.fid is not None and math.isfinite(r.fid) and self._counts(r, until)]
        return min(fids, default=math.nan)

    @property
    def best_step(self) -> int | None:
        """The step at which the lowest FID of the window was first measured; None where none was."""
        best = self.best()
        return next((r.step for r in self.reports if r.fid == best and self._counts(r, None)), None)

    def final(self) -> float:
        """The last finite FID; NaN where there is none."""
        return next((r.fid for r in reversed(self.reports) if r.fid is not None and math.isfinite(r.fid)), math.nan)

    def _counts(self, report: Report, until: int | None) -> bool:
        return report.step >= self.window_first and not report.collapsed and (until is None or report.step <= until)


def read_runs(places: Sequence[str], sweeps_dir: Path) -> tuple[list[RecordedRun], list[Path]]:
    """Read runs from sweeps and CSV logs.

    Args:
        places: each a sweep (its name in `sweeps_dir`, or its directory), a CSV file, or a folder of CSV files.
        sweeps_dir: where sweeps lie.

    Returns:
        The runs, and the files that were left out because they are no logs: ``logs/*.csv`` may match such files too.

    Raises:
        UserError: a place is none of these, a file cannot be read, or no file is a log.
    """
    runs: list[RecordedRun] = []
    others = [path for path in map(Path, places) if path.is_file() and not _is_log(path)]
    for place in places:
        if len(others) == len(places) or Path(place) not in others:
            runs += _read_place(place, sweeps_dir)
    seen: set[str] = set()
    for run in runs:
        if run.name in seen:
            raise UserError(f"two runs are called {run.name}: give each once")
        seen.add(run.name)
    return runs, others


def _read_place(place: str, sweeps_dir: Path) -> list[RecordedRun]:
    path, sweep = Path(place), look_up_sweep(place, sweeps_dir)
    if sweep is not None:
        return read_sweep(sweep)
    if path.is_file():
        return [read_log(path)]
    if path.is_dir():
        logs = [file for file in sorted(path.glob("*.csv")) if _is_log(file)]
        if logs:
            return [read_log(file) for file in logs]
        raise UserError(f"{path} is no sweep and has no CSV file with the columns step and fid")
    if glob.has_magic(place):
        raise UserError(f"no file matches {place}")
    known = ", ".join(sweep_names(sweeps_dir)) or "none"
    raise UserError(f"{place} is no sweep, CSV file or folder of CSV files; sweeps in {sweeps_dir}: {known}")


def read_sweep(store: ResultsStore) -> list[RecordedRun]:
    """The trials of a sweep that reported anything.

    Raises:
        UserError: its objective is not FID, of which alone a replay can say what rules and schedulers cost.
    """
    from trainers.families import loss_scale  # imports torch, which logs do not need

    if (measure := store.read_plan().objectives[0]) != FID:
        raise UserError(f"{store.directory.name}: its objective is {measure}, and a replay counts FIDs alone")

    runs = []
    for trial in searched(store.read_trials()):
        history = store.read_history(trial.trial_id)
        if not history:
            continue
        config = _config(store, trial.trial_id)
        reports = [_from_history(report) for report in history]
        name = f"{store.directory.name}/{trial.trial_id}"
        total = max(trial.total_epochs, history[-1].epoch)
        window, scale = config.schedule.window_first, loss_scale(config)
        runs.append(RecordedRun(name, reports, total, window, "epochs", mark="epoch", scale=scale, behind=trial.began))
    return runs


def _from_history(report: EpochReport) -> Report:
    newest = report.measurement
    if newest is None:
        return Report(report.epoch, report.logged)
    return Report(report.epoch, report.logged, newest.fid, newest.name, newest.collapsed)


def _config(store: ResultsStore, trial_id: str) -> TrainConfig:
    return TrainConfig.build(read_yaml(inside(store.trials_dir, f"{trial_id}/config.yaml"), "config"))


def read_log(path: Path) -> RecordedRun:
    """A CSV with the columns ``step`` and ``fid`` and any metrics, such as ``d_loss`` and ``g_loss``.

    Empty cells are values that were not logged. Columns that hold no numbers, such as ``elapsed``, are left out. Where
    the steps go back the run was resumed: the earlier rows from that step on are dropped.

    Raises:
        UserError: it cannot be read, lacks these columns or rows, or a step or FID is not a number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    if not {"step", "fid"} <= set(columns):
        raise UserError(f"{path}: needs the columns step and fid, has {', '.join(columns) or 'none'}")
    if not rows:
        raise UserError(f"{path}: has no rows")
    names = [name for name in columns if name and name not in NOT_METRICS]
    names = [name for name in names if all(_number(row[name]) is not None for row in rows if row[name])]
    reports: list[Report] = []
    for number, row in enumerate(rows, start=2):
        report = _read_row(path, number, row, names)
        while reports and reports[-1].step >= report.step:
            reports.pop()
        reports.append(report)
    return RecordedRun(path.stem, reports, total=len(reports))


def _read_row(path: Path, number: int, row: dict[str, str], names: list[str]) -> Report:
    step, fid = _number(row["step"]), _number(row["fid"])
    if step is None or not math.isfinite(step):
        raise UserError(f"{path}, line {number}: step is {row['step']!r}, not a number")
    if row["fid"] and fid is None:
        raise UserError(f"{path}, line {number}: fid is {row['fid']!r}, not a number")
    values = {name: _number(row[name]) for name in names}
    metrics = {name: value for name, value in values.items() if value is not None}
    return Report(round(step), metrics, fid, collapsed=fid is not None and hardly_vary(metrics.get("diversity")))


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _is_log(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return {"step", "fid"} <= set(file.readline().strip().split(","))
    except OSError:
        return path.is_file()  # `read_log` reports why it cannot be read
