"""What a new scheduler has to know of trials that it did not see.

Trials of an earlier sweep take part in its comparisons, so that a new trial must beat them too, and so do those that
this sweep had before its driver died: rungs and medians are what they would be.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from orchestrator.results.repeats import searched
from orchestrator.results.state import SweepState
from orchestrator.search.result import TrialResult
from orchestrator.search.schedulers.pbt import Pbt
from trainers.metric_names import FID
from trainers.run_report import EpochReport, Measurement

Measured = dict[str, list[Measurement]]  # by trial, in order


def count_earlier(
    scheduler: TrialScheduler,
    metric: str,
    earlier: Mapping[str, Sequence[Measurement]],
    state: SweepState | None = None,
) -> None:
    """Show a scheduler, in the order of epochs, what other trials measured; what it would have cut is not asked.

    Args:
        scheduler: a new one, whose metric and mode are set.
        metric: name of the FID.
        earlier: by trial, its measurements in order.
        state: of the sweep whose trials some of these are.
    """
    no_controller: Any = None  # our schedulers never ask Tune's controller anything
    trials = {name: Trial(name, stub=True, config={"trial_id": name}) for name, measured in earlier.items() if measured}
    for trial in trials.values():
        scheduler.on_trial_add(no_controller, trial)
    for name, result in _by_epoch(earlier, state):
        scheduler.on_trial_result(no_controller, trials[name], result.to_tune(metric))
    for name, trial in trials.items():
        last = _result(earlier[name][-1], name, state)
        scheduler.on_trial_complete(no_controller, trial, last.to_tune(metric))


def measured_before(
    scheduler: TrialScheduler, state: SweepState, history: Callable[[str], Sequence[EpochReport]]
) -> tuple[Measured, Measured]:
    """What a sweep's trials have measured so far, for a scheduler: those that are over, and those that go on.

    Of a trial that goes on, a measurement at its very last epoch is left out: whether it was decided on is not known,
    so the scheduler is asked again.

    Args:
        scheduler: the sweep's; one that cuts no trial has to know nothing, and a population's reads the state.
        state: how the sweep stands.
        history: returns a trial's epochs. Of a trial that is over they are read only where the log does not say what it
            measured: reading thousands of histories takes minutes.
    """
    over: Measured = {}
    still_open: Measured = {}
    if type(scheduler) is FIFOScheduler or isinstance(scheduler, Pbt):
        return over, still_open
    for trial in searched(state.trials.values()):
        if not trial.open and trial.measured is not None and state.plan.objectives == (FID,):  # it keeps FIDs alone
            over[trial.trial_id] = [_measurement(*values) for values in trial.measured]
            continue
        reports = history(trial.trial_id)
        goes_on = trial.open and not trial.paused
        decided = reports[:-1] if goes_on else reports
        measured = [report.measurement for report in decided if report.measurement is not None]
        (still_open if goes_on else over)[trial.trial_id] = measured
    return over, still_open


def finished(state: SweepState) -> int:
    """How many of the trials that a sweep has proposed are over and have an objective."""
    return sum(trial.over and trial.objective is not None for trial in searched(state.trials.values()))


class ShowEarlier(tune.Callback):
    """Shows the scheduler what a trial that goes on had measured before, when it starts; its answers do not count.

    Args:
        scheduler: the sweep's.
        metric: name of the FID.
        measured: by trial.
        state: of the sweep.
    """

    def __init__(self, scheduler: TrialScheduler, metric: str, measured: Measured, state: SweepState) -> None:
        self._scheduler, self._metric, self._measured, self._state = scheduler, metric, measured, state

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Before its first result of this driver; a trial that starts again was shown before."""
        no_controller: Any = None  # our schedulers never ask Tune's controller anything
        name = trial.config["trial_id"]
        for one in self._measured.pop(name, []):
            result = _result(one, name, self._state)
            self._scheduler.on_trial_result(no_controller, trial, result.to_tune(self._metric))


def _measurement(epoch: Any, fid: Any, diversity: Any, collapsed: Any) -> Measurement:
    """One of `TrialRecord.measured`."""
    return Measurement(epoch=epoch, fid=fid, diversity=diversity, collapsed=bool(collapsed))


def _by_epoch(
    earlier: Mapping[str, Sequence[Measurement]], state: SweepState | None
) -> Iterable[tuple[str, TrialResult]]:
    results = [(name, _result(one, name, state)) for name, measured in earlier.items() for one in measured]
    return sorted(results, key=lambda item: item[1].epoch)


def _result(measured: Measurement, name: str, state: SweepState | None) -> TrialResult:
    """Of a trial's seconds the share of its epochs by then: nobody keeps them by epoch."""
    trial = state.trials.get(name) if state is not None else None
    seconds = 0.0
    if trial is not None and trial.trained:
        seconds = trial.seconds * (measured.epoch - trial.began) / trial.trained
    return TrialResult(epoch=measured.epoch, measurement=measured, seconds=seconds)
