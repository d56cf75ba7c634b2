"""Which recorded runs a scheduler would have cut, had they been trials of one sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.replay.recorded import RecordedRun, Report
from orchestrator.results.verdict import TrialOutcome
from orchestrator.search.result import TrialResult
from orchestrator.search.schedulers import make_scheduler
from orchestrator.search.schedulers.promotion import Promotion
from orchestrator.space.sections import SchedulerConfig
from trainers.run_report import Measurement

METRIC = "fid"
LENGTH = 1000  # of every run on a common clock, because runs may differ in their planned number of reports


@dataclass(frozen=True)
class Cut:
    """What a scheduler would have cut.

    Attributes:
        scheduler: its name.
        steps: for each run that was cut, or waited to the end, by name, the step of the cut.
        saved: mean share of steps that the cuts save.
        best_kept: whether the run with the lowest FID could still reach it.
    """

    scheduler: str
    steps: dict[str, int]
    saved: float
    best_kept: bool


def replay_scheduler(runs: Sequence[RecordedRun], config: SchedulerConfig, epochs: int) -> Cut:
    """Show the FIDs of all runs to a scheduler, in the order of time, as if all had started at once.

    Args:
        runs: runs whose FIDs can be compared with each other.
        config: the scheduler's config.
        epochs: length of a run that `config` was written for; its grace is scaled by it.
    """
    grace = max(1, round(config.grace_epochs * LENGTH / epochs))
    scheduler = make_scheduler(config.model_copy(update={"grace_epochs": min(grace, LENGTH)}), LENGTH)
    scheduler.set_search_properties(METRIC, "min")
    steps = _Race(runs, scheduler).run()
    saved = [1 - steps.get(run.name, run.last_step) / run.last_step for run in runs]
    best = min(runs, key=lambda run: (run.best() != run.best(), run.best()))  # NaN last
    kept = best.name not in steps or best.best(steps[best.name]) == best.best()
    return Cut(config.name, steps, sum(saved) / len(saved), kept)


class _Race:
    """All runs at once, each from when it starts or goes on; those that wait at rungs go on when they are promoted.

    Args:
        runs: to be run.
        scheduler: new, with metric and mode.
    """

    def __init__(self, runs: Sequence[RecordedRun], scheduler: TrialScheduler) -> None:
        self._scheduler = scheduler
        self._nobody: Any = None  # our schedulers never ask Tune's controller anything
        self._runs = {f"{number:04d}": run for number, run in enumerate(runs)}
        self._left = {name: _measured(run) for name, run in self._runs.items()}
        self._trials = {name: Trial(name, stub=True, config={"trial_id": name}) for name in self._runs}
        self._stopped: dict[str, tuple[float, int]] = {}  # time and step of those that wait or are cut
        self._next: list[tuple[float, str]] = []

    def run(self) -> dict[str, int]:
        """The step at which each run ended that did not get to its end, by the run's name."""
        for name, trial in self._trials.items():
            self._scheduler.on_trial_add(self._nobody, trial)
            self._go_on(name, 0.0, 0.0)
        while self._next:
            time, name = heappop(self._next)
            self._show(name, time)
            self._promote(time)
        return {self._runs[name].name: step for name, (_, step) in self._stopped.items()}

    def _show(self, name: str, now: float) -> None:
        time, report = self._left[name].pop(0)
        trial, nobody = self._trials[name], self._nobody
        if report is None:  # its end
            self._scheduler.on_trial_complete(nobody, trial, _ended(self._runs[name]).to_tune(METRIC))
            return
        result = TrialResult(epoch=time, measurement=_measurement(report)).to_tune(METRIC)
        if self._scheduler.on_trial_result(nobody, trial, result) != TrialScheduler.STOP:
            self._go_on(name, now, time)
            return
        self._scheduler.on_trial_complete(nobody, trial, result)
        self._stopped[name] = (time, report.step)
        if isinstance(self._scheduler, Promotion):
            self._scheduler.wait(name)

    def _promote(self, now: float) -> None:
        if not isinstance(self._scheduler, Promotion):
            return
        over = not self._next
        while (name := self._scheduler.promote(none_new=over, none_runs=over)) is not None:
            time, _ = self._stopped.pop(name)
            self._go_on(name, now, time)

    def _go_on(self, name: str, now: float, time: float) -> None:
        heappush(self._next, (now + self._left[name][0][0] - time, name))


def _measured(run: RecordedRun) -> list[tuple[float, Report | None]]:
    """Every report with a finite FID, except a run's last, with its time on the common clock; then the end."""
    reports: list[tuple[float, Report | None]] = [
        (number * LENGTH / run.total, report)
        for number, report in enumerate(run.reports, start=1)
        if report.fid is not None and report.fid == report.fid and number < run.total
    ]
    return [*reports, (float(LENGTH), None)]


def _ended(run: RecordedRun) -> TrialResult:
    best = run.best()
    objective = best if best == best else None
    return TrialResult(epoch=LENGTH, outcome=TrialOutcome(verdict="completed", epochs=LENGTH, objective=objective))


def _measurement(report: Report) -> Measurement:
    assert report.fid is not None
    diversity = report.metrics.get("diversity")
    return Measurement(epoch=report.step, fid=report.fid, diversity=diversity, collapsed=report.collapsed)
