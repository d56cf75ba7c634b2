"""The record of a trial that Tune, its schedulers and Optuna get, and Tune's dict around it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.results.verdict import TrialOutcome
from trainers.config import FidConfig
from trainers.metric_names import lower_better, maximised
from trainers.run_report import Measurement

CLOCK = "epoch"  # the schedulers' time; Tune's own iteration count restarts after a retry
WORST = 1e6  # stands for a missing value in Tune's results, because ASHA never stops on NaN
_RECORD = "trial_result"
_VARIED = FidConfig().min_diversity
_LEAST = 1e-4  # a lower diversity counts as this one


def compared(measurement: Measurement) -> float:
    """The objective's value by which trials are compared: where fakes hardly vary, worse by sqrt(0.25 / diversity).

    One good picture, grey or noise may have a lower FID than many pictures that are still poor. On the other hand
    G's first pictures vary little in trials that become the best, too, so their FIDs must count for something. On three
    sets of recorded trainings this factor keeps the best one among the better half of 16 after one epoch in 93% to 100%
    of the draws; 63% to 100% where such a trial counts as worse than any other, 85% to 98% without a factor
    (`tests.benchmarks.bench_early_ranks`). Other objectives, which have the same factor, were not tried.

    Args:
        measurement: a NaN stays one.
    """
    if not measurement.collapsed:
        return measurement.value
    factor = max(1.0, math.sqrt(_VARIED / max(measurement.diversity or 0.0, _LEAST)))
    if maximised(measurement.objective) == (measurement.value > 0):  # a KID may be negative
        return measurement.value / factor
    return measurement.value * factor


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """A trial at a measurement, or at its end.

    Attributes:
        epoch: the last epoch that was trained.
        measurement: what was measured at that epoch, None where nothing was. Values on fewer fakes, before the window,
            have the objective's name in Tune too: schedulers compare trials at the same epoch, where all have the same
            number of fakes (`trainers.fid_schedule.fakes_at`).
        outcome: how the trial ended, None while it goes on.
        seconds: from its first lease to this epoch, or to its end, without those in which nobody trained it.
    """

    epoch: float
    measurement: Measurement | None = None
    outcome: TrialOutcome | None = None
    seconds: float = 0.0

    @property
    def value(self) -> float:
        """Of the objective; NaN where it was not measured."""
        return math.nan if self.measurement is None else self.measurement.value

    @property
    def compared(self) -> float:
        """What schedulers and Tune compare (`compared`), lower is better; `WORST` where it was not measured."""
        value = math.nan if self.measurement is None else compared(self.measurement)
        return (
            WORST if self.measurement is None or math.isnan(value) else lower_better(self.measurement.objective, value)
        )

    def to_tune(self, metric: str) -> dict[str, Any]:
        """Tune's result: what Tune itself reads, with `compared` under the name `metric`, and this record."""
        return {CLOCK: self.epoch, metric: self.compared, "done": self.outcome is not None, _RECORD: self}

    @classmethod
    def from_tune(cls, result: Mapping[str, Any] | None) -> "TrialResult | None":
        """The record in Tune's result; None where Tune has made the result itself, after an error."""
        return None if result is None else result.get(_RECORD)
