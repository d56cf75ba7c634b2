"""``fid_diverged``: FID is far above its own best and stays there."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.reach import beyond
from orchestrator.pruning.rule import Count, Positive, Rule, Span


class FidDiverged(Rule):
    """FID stays beyond the reach of its best: far beyond for a short time, or less far for longer.

    A one-sided CUSUM (Page 1954): each measurement adds how far in ln(FID) it lies beyond the reach
    (`orchestrator.pruning.reach`), times the share of the planned run since the previous measurement; within the reach
    this term is negative, and the sum never falls below zero. A new best, or a new FID protocol, starts the sum again.
    In the middle of the plan and without noise the rule trips after 0.6% of the run at four times the best and after
    2% at twice the best, never at 1.4 times the best, and never before `patience` measurements in a row.

    NaN policy: a FID that is not finite is no measurement (see ``nonfinite``).
    """

    name: ClassVar[str] = "fid_diverged"
    hopeless: ClassVar[bool] = True
    at_measurements: ClassVar[bool] = True
    tunable: ClassVar[dict[str, tuple[float, float]]] = {
        "warmup": (0.03, 0.2),
        "tolerance": (0.1, 0.6),
        "limit": (0.003, 0.05),
    }

    warmup: Span = Field(0.15, description="epochs whose FIDs are no evidence; below 1: share of the run, 10 at least")
    tolerance: Positive = Field(0.3, description="share above the best that is within reach at the end of the run")
    limit: Positive = Field(0.006, description="ln(FID) beyond the reach, summed over shares of the run")
    patience: Count = Field(3, description="measurements in a row beyond the reach")

    def judge(self, history: History) -> str | None:
        (best, _), grace = self.since_best(history), self.grace(history)
        excess, in_a_row, before = 0.0, 0, best
        for point, farther in beyond(history, self.tolerance, untrained=self.untrained(history)):
            share = (point.report - before.report) / history.total
            before = point
            if farther <= 0 or point.report > grace:
                excess = max(0.0, excess + farther * share)
                in_a_row = in_a_row + 1 if farther > 0 else 0
        if in_a_row < self.patience or excess <= self.limit:
            return None
        times = f"{before.fid / best.fid:.2g} times its best" if best.fid > 0 else "above its best"
        return (
            f"FID {before.fid:.4g} is {times}, {best.fid:.4g} at {history.mark} {best.step}, "
            f"and has been above it for {in_a_row} measurements"
        )
