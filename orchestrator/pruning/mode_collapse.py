"""``mode_collapse``: G draws the same picture again and again."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Count, Positive, Rule, Share, Span


class ModeCollapse(Rule):
    """The spread of the fakes' features against that of the real images' is too low at several rungs and does not grow.

    ``diversity`` is the trace of the fakes' feature covariance over that of the real images': 1 is as diverse as the
    data, 0 is one picture. It comes with every FID.

    NaN policy: rungs without a finite diversity are left out.
    """

    name: ClassVar[str] = "mode_collapse"
    at_rungs: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("diversity",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"diversity": (0.01, 0.2)}

    warmup: Span = Field(0.1, description="epochs without judgement; below 1: share of the run, 10 at least")
    diversity: Share = Field(0.05, description="a diversity below this is too low")
    patience: Count = Field(3, description="rungs in a row")
    growth: Positive = Field(0.2, description="share by which it must have grown over these rungs to be left alone")

    def judge(self, history: History) -> str | None:
        """See the class."""
        seen = history.at_rungs("diversity")[-self.patience :]
        if len(seen) < self.patience or max(seen) >= self.diversity or seen[-1] > seen[0] * (1 + self.growth):
            return None
        return f"diversity {seen[-1]:.3g} of the real images' for {len(seen)} rungs, below {self.diversity:g}"
