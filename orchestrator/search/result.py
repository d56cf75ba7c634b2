"""The record of a trial that Tune, its schedulers and Optuna get, and Tune's dict around it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.results.verdict import TrialOutcome
from trainers.run_report import Measurement

CLOCK = "epoch"  # the schedulers' time; Tune's own iteration count restarts after a retry
WORST = 1e6  # stands for a missing value in Tune's results, because ASHA never stops on NaN
_RECORD = "trial_result"


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
    def lower(self) -> float:
        """`value` as Tune compares it, lower is better; `WORST` where it was not measured."""
        found = math.nan if self.measurement is None else self.measurement.lower
        return WORST if math.isnan(found) else found

    @property
    def collapsed(self) -> bool:
        """Whether there is a FID, of fakes that hardly vary."""
        return self.measurement is not None and self.measurement.collapsed

    @property
    def compared(self) -> float:
        """What schedulers compare: the less fakes vary that hardly do, the worse, and worse than any others."""
        if self.measurement is None or not self.collapsed:
            return self.lower
        return WORST * (2 - (self.measurement.diversity or 0.0))

    def to_tune(self, metric: str) -> dict[str, Any]:
        """Tune's result: what Tune itself reads, with `lower` under the name `metric`, and this record."""
        return {CLOCK: self.epoch, metric: self.lower, "done": self.outcome is not None, _RECORD: self}

    @classmethod
    def from_tune(cls, result: Mapping[str, Any] | None) -> "TrialResult | None":
        """The record in Tune's result; None where Tune has made the result itself, after an error."""
        return None if result is None else result.get(_RECORD)
