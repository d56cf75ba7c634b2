"""``fid_plateau``: FID has had no new best for a long time, and shows no trend to one."""

from statistics import median
from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Rule, Span


class FidPlateau(Rule):
    """No new best for a share of the planned run, and no trend to one.

    A trend are medians that fall: from the earlier half of that time to the later one, as in noisy runs that still
    improve on the whole, or from its third quarter to its last, as in runs that begin to fall. The share is longer
    early in the plan (`History.patience`), where runs have stood still for a quarter of it and then went on.

    NaN policy: a FID that is not finite is no measurement (see ``nonfinite``).
    """

    name: ClassVar[str] = "fid_plateau"
    hopeless: ClassVar[bool] = True
    at_measurements: ClassVar[bool] = True
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"patience": (0.1, 0.5)}

    warmup: Span = Field(0.1, description="epochs in which the rule is silent; below 1: share of the run, 10 at least")
    patience: Span = Field(
        0.35,
        description="epochs without a new best; below 1: share of the planned run, longer by what is left of it",
    )

    def judge(self, history: History) -> str | None:
        best, later = self.since_best(history)
        since = [point.fid for point in later]
        half, quarter = len(since) // 2, max(len(since) // 4, 1)
        if half < 2 or history.reports - best.report < history.patience(self.patience):
            return None
        if median(since[half:]) < median(since[:half]) or median(since[-quarter:]) < median(since[half:-quarter]):
            return None
        lowest = f"FID {best.fid:.4g} of {history.mark} {best.step}"
        return f"{lowest} was not improved on for {len(since)} measurements, with no downward trend"
