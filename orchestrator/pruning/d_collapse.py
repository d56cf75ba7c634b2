"""``d_collapse``: D has won and G no longer learns from it."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Count, Positive, Rule, Share, Span


class DCollapse(Rule):
    """D's loss is the lowest it can be over a window, D separates perfectly, and FID does not improve.

    The loss declares its lowest value (`trainers.loss_scale`): 0 without label smoothing, above it with; a Wasserstein
    loss has none, and the rule stays silent. For a log that does not name its loss it is 0.

    All three signs are required: a public LSGAN run had a D loss near 0.005 before its best FID, so the loss alone
    would end good runs (the MLDS HW4 report says "discriminator loss goes to 0: kill it"). Without a FID the rule stays
    silent. Where D's accuracies were not recorded, the loss stands in for them.

    NaN policy: reports without a finite d_loss do not count as low.
    """

    name: ClassVar[str] = "d_collapse"
    reads: ClassVar[tuple[str, ...]] = ("d_loss",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"d_loss": (0.002, 0.05), "patience": (0.04, 0.2)}

    warmup: Span = Field(0.1, description="epochs in which the rule is silent; below 1: share of the run, 10 at least")
    d_loss: Positive = Field(
        0.01, description="a D loss this near its lowest value is low; in units of binary cross-entropy"
    )
    window: Count = Field(10, description="epochs looked at")
    share: Share = Field(0.8, description="share of them with a low loss, for a collapse")
    accuracy: Share = Field(0.99, description="D separates perfectly from this mean accuracy on, real and fake each")
    patience: Span = Field(
        0.08, description="epochs without a better FID, 3 measurements at least; below 1: share of the planned run"
    )
    improvement: Share = Field(0.02, description="share by which FID must fall to count as better")

    def judge(self, history: History) -> str | None:
        marks = history.scale.d
        if marks is None:
            return None
        losses, limit = history.tail("d_loss", self.window), self.d_loss * marks.unit
        low = sum(abs(loss - marks.won) < limit for loss in losses)
        if low < self.share * self.window:
            return None
        untrained = self.untrained(history)
        stalled = history.stalled(self.improvement, untrained=untrained)
        if not history.lasting(stalled, self.patience):
            return None
        for name in ("d_real_accuracy", "d_fake_accuracy"):
            seen = history.tail(name, self.window)
            if seen and sum(seen) / len(seen) < self.accuracy:
                return None
        seen_low = f"D loss below {marks.at(self.d_loss):.3g} for {low} of {self.window} {history.unit}"
        return f"{seen_low} while {history.describe_fid(stalled, untrained=untrained)}"
