"""``fid_diverged``: FID is far above its own best and stays there."""

import math
from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Count, Positive, Rule, Span


class FidDiverged(Rule):
    """FID stays above its best: far above for a short time, or less far for longer. A one-sided CUSUM (Page 1954).

    Each measurement adds ``ln(FID / best) - ln(1 + tolerance)``, times the share of the planned run since the previous
    measurement; within the tolerance this term is negative, and the sum never falls below zero. A new best, or a new
    FID protocol, starts the sum again. With the defaults the rule trips after 1.2% of the run at four times the best,
    and after 17% at 1.2 times the best, but never before `patience` measurements in a row.

    NaN policy: a FID that is not finite is no measurement (see ``nonfinite``).
    """

    name: ClassVar[str] = "fid_diverged"
    hopeless: ClassVar[bool] = True
    at_measurements: ClassVar[bool] = True
    tunable: ClassVar[dict[str, tuple[float, float]]] = {
        "warmup": (0.03, 0.2),
        "tolerance": (0.03, 0.3),
        "limit": (0.003, 0.05),
    }

    warmup: Span = Field(0.15, description="epochs whose FIDs are no evidence; below 1: share of the run, 10 at least")
    tolerance: Positive = Field(0.1, description="share above the best that is noise")
    limit: Positive = Field(0.015, description="ln(FID / best) beyond the tolerance, summed over shares of the run")
    patience: Count = Field(4, description="measurements in a row above the tolerance")

    def judge(self, history: History) -> str | None:
        (best, since), grace = self.since_best(history), self.grace(history)
        tolerance, excess, in_a_row, before = math.log1p(self.tolerance), 0.0, 0, best
        for point in since:
            share = (point.report - before.report) / history.total
            beyond = math.log(point.fid / best.fid) - tolerance if best.fid > 0 else math.inf
            before = point
            if beyond <= 0 or point.report > grace:
                excess = max(0.0, excess + beyond * share)
                in_a_row = in_a_row + 1 if beyond > 0 else 0
        if in_a_row < self.patience or excess <= self.limit:
            return None
        times = f"{before.fid / best.fid:.2g} times its best" if best.fid > 0 else "above its best"
        return (
            f"FID {before.fid:.4g} is {times}, {best.fid:.4g} at {history.mark} {best.step}, "
            f"and has been above it for {in_a_row} measurements"
        )
