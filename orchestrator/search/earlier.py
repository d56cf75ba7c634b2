"""Trials of an earlier sweep take part in a scheduler's comparisons, so that a new trial must beat them too."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.search.result import TrialResult
from trainers.run_report import Measurement


def count_earlier(scheduler: TrialScheduler, metric: str, earlier: Mapping[str, Sequence[Measurement]]) -> None:
    """Show a scheduler, in the order of epochs, what other trials measured; what it would have cut is not asked.

    Args:
        scheduler: a new one, whose metric and mode are set.
        metric: name of the FID.
        earlier: by trial, its measurements in order.
    """
    no_controller: Any = None  # our schedulers never ask Tune's controller anything
    trials = {name: Trial(name, stub=True) for name, measured in earlier.items() if measured}
    for trial in trials.values():
        scheduler.on_trial_add(no_controller, trial)
    for name, result in _by_epoch(earlier):
        scheduler.on_trial_result(no_controller, trials[name], result.to_tune(metric))
    for name, trial in trials.items():
        last = earlier[name][-1]
        scheduler.on_trial_complete(no_controller, trial, _result(last).to_tune(metric))


def _by_epoch(earlier: Mapping[str, Sequence[Measurement]]) -> Iterable[tuple[str, TrialResult]]:
    results = [(name, _result(one)) for name, measured in earlier.items() for one in measured]
    return sorted(results, key=lambda item: item[1].epoch)


def _result(measured: Measurement) -> TrialResult:
    return TrialResult(epoch=measured.epoch, measurement=measured)
