"""Which recorded runs a scheduler would have cut, had they been trials of one sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.replay.recorded import RecordedRun, Report
from orchestrator.search.result import TrialResult
from orchestrator.search.schedulers import make_scheduler
from orchestrator.space.sections import SchedulerConfig
from trainers.run_report import Measurement

METRIC = "fid"
LENGTH = 1000  # of every run on a common clock, because runs may differ in their planned number of reports


@dataclass(frozen=True)
class Cut:
    """What a scheduler would have cut.

    Attributes:
        scheduler: its name.
        steps: for each run that was cut, by name, the step of the cut.
        saved: mean share of steps that the cuts save.
        best_kept: whether the run with the lowest FID could still reach it.
    """

    scheduler: str
    steps: dict[str, int]
    saved: float
    best_kept: bool


def replay_scheduler(runs: Sequence[RecordedRun], config: SchedulerConfig, epochs: int) -> Cut:
    """Show the FIDs of all runs to a scheduler, in the order of time.

    Args:
        runs: runs whose FIDs can be compared with each other.
        config: the scheduler's config.
        epochs: length of a run that `config` was written for; its grace is scaled by it.
    """
    grace = max(1, round(config.grace_epochs * LENGTH / epochs))
    scheduler = make_scheduler(config.model_copy(update={"grace_epochs": min(grace, LENGTH)}), LENGTH)
    scheduler.set_search_properties(METRIC, "min")
    trials = {run.name: Trial(run.name, stub=True) for run in runs}
    no_controller: Any = None  # our schedulers never ask Tune's controller anything
    for trial in trials.values():
        scheduler.on_trial_add(no_controller, trial)
    steps: dict[str, int] = {}
    for time, run, report in _measurements(runs):
        if run.name in steps:
            continue
        trial = trials[run.name]
        result = TrialResult(epoch=time, measurement=_measurement(report)).to_tune(METRIC)
        if scheduler.on_trial_result(no_controller, trial, result) == TrialScheduler.STOP:
            scheduler.on_trial_complete(no_controller, trial, result)
            steps[run.name] = report.step
    saved = [1 - steps.get(run.name, run.last_step) / run.last_step for run in runs]
    best = min(runs, key=lambda run: (run.best() != run.best(), run.best()))  # NaN last
    kept = best.name not in steps or best.best(steps[best.name]) == best.best()
    return Cut(config.name, steps, sum(saved) / len(saved), kept)


def _measurements(runs: Sequence[RecordedRun]) -> list[tuple[float, RecordedRun, Report]]:
    """Every report with a finite FID, except a run's last, with its time on the common clock, earliest first."""
    measurements = [
        (number * LENGTH / run.total, run, report)
        for run in runs
        for number, report in enumerate(run.reports, start=1)
        if report.fid is not None and report.fid == report.fid and number < run.total
    ]
    return sorted(measurements, key=lambda one: one[0])


def _measurement(report: Report) -> Measurement:
    assert report.fid is not None
    diversity = report.metrics.get("diversity")
    return Measurement(epoch=report.step, fid=report.fid, diversity=diversity, collapsed=report.collapsed)
