"""The record of a trial that Tune, its schedulers and Optuna get, and its form as Tune's dict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.results.verdict import TrialOutcome

CLOCK = "epoch"  # the schedulers' time; Tune's own iteration count restarts after a retry
WORST_FID = 1e6  # stands for a missing FID in Tune's results, because ASHA never stops on NaN


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """A trial at a measurement, or at its end.

    Attributes:
        epoch: the last epoch that was trained.
        fid: the FID at that epoch, None where none was measured. FIDs on fewer fakes, before the window, have the
            objective's name too: schedulers compare trials at the same epoch, where all have the same number of fakes
            (`trainers.measuring.fakes_at`).
        diversity: diversity of the fakes that the FID was measured on, None where it is not known.
        outcome: how the trial ended, None while it goes on.
        seconds: from its first lease to its end; 0 while it goes on.
    """

    epoch: float
    fid: float | None = None
    diversity: float | None = None
    outcome: TrialOutcome | None = None
    seconds: float = 0.0

    def to_tune(self, metric: str) -> dict[str, Any]:
        """Tune's result, with the FID under the name `metric`."""
        result: dict[str, Any] = {CLOCK: self.epoch, metric: WORST_FID if self.fid is None else self.fid}
        if self.diversity is not None:
            result["diversity"] = self.diversity
        if self.outcome is not None:
            result |= {"done": True, "outcome": self.outcome, "seconds": self.seconds}
        return result

    @classmethod
    def from_tune(cls, result: Mapping[str, Any], metric: str) -> "TrialResult":
        """The inverse of `to_tune`."""
        fid = result[metric]
        return cls(
            epoch=result[CLOCK],
            fid=None if fid == WORST_FID else fid,
            diversity=result.get("diversity"),
            outcome=result.get("outcome"),
            seconds=result.get("seconds", 0.0),
        )
