"""``mode_collapse``: G draws the same picture again and again."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Count, Positive, Rule, Share, Span


class ModeCollapse(Rule):
    """The fakes' features vary too little, compared with the real images', at several measurements, without growth.

    ``diversity`` is the trace of the fakes' feature covariance over that of the real images': 1 is as diverse as the
    data, 0 is one picture. It comes with every FID.

    NaN policy: measurements without a finite diversity are left out.
    """

    name: ClassVar[str] = "mode_collapse"
    at_measurements: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("diversity",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"diversity": (0.02, 0.25)}

    warmup: Span = Field(0.1, description="epochs in which the rule is silent; below 1: share of the run, 10 at least")
    diversity: Share = Field(0.1, description="a diversity below this is too low")
    patience: Count = Field(3, description="measurements in a row")
    growth: Positive = Field(0.2, description="growth of diversity over these measurements that keeps the trial")

    def judge(self, history: History) -> str | None:
        seen = history.at_measurements("diversity")[-self.patience :]
        if len(seen) < self.patience or max(seen) >= self.diversity or seen[-1] > seen[0] * (1 + self.growth):
            return None
        return f"diversity {seen[-1]:.3g} of the real images' for {len(seen)} measurements, below {self.diversity:g}"
