"""``d_collapse``: D has won and G no longer learns from it."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.reach import out_of_reach
from orchestrator.pruning.rule import Count, Positive, Rule, Share, Span


class DCollapse(Rule):
    """D's loss is the lowest it can be over a window, D separates perfectly, and FID is beyond reach or stands still.

    The loss declares its lowest value (`trainers.loss_scale`): 0 without label smoothing, above it with; a Wasserstein
    loss has none, and the rule stays silent. For a log that does not name its loss it is 0.

    All three signs are required: a public LSGAN run had a D loss near 0.005 before its best FID, so the loss alone
    would end good runs (the MLDS HW4 report says "discriminator loss goes to 0: kill it"). Without a FID the rule stays
    silent. Where D's accuracies were not recorded, the loss stands in for them, and says less: the reach is wider.

    What D says makes up for most of what FID alone would have to show: the reach (`orchestrator.pruning.reach`) is 1.05
    times the best at the end of the run and 1.28 times at its start (1.15 and 1.40 times without accuracies), whatever
    the noise. A public ProjGAN run stood at 1.25 to 1.43 times its best while D's loss was 0.0000, and rose to four
    times. Within reach D's word counts for nothing: FID must have stood still for as long as `fid_plateau` asks for.

    NaN policy: reports without a finite d_loss do not count as low.
    """

    name: ClassVar[str] = "d_collapse"
    reads: ClassVar[tuple[str, ...]] = ("d_loss",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"d_loss": (0.002, 0.05), "short_patience": (0.04, 0.2)}

    warmup: Span = Field(0.2, description="epochs in which the rule is silent; below 1: share of the run, 10 at least")
    d_loss: Positive = Field(
        0.01, description="a D loss this near its lowest value is low; in units of binary cross-entropy"
    )
    window: Count = Field(10, description="epochs looked at")
    share: Share = Field(0.8, description="share of them with a low loss, for a collapse")
    accuracy: Share = Field(0.99, description="D separates perfectly from this mean accuracy on, real and fake each")
    patience: Span = Field(
        0.35,
        description="epochs without a better FID, wherever it stands; below 1: share of the planned run, longer by "
        "what is left of it",
    )
    rise: Positive = Field(0.05, description="share above the best that is within reach at the end of the run")
    rise_unseen: Positive = Field(0.15, description="the same where D's accuracies were not recorded")
    short_patience: Span = Field(
        0.06,
        description="epochs beyond reach that suffice, 3 measurements at least; below 1: share of the planned run",
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
        recorded = [history.tail(name, self.window) for name in ("d_real_accuracy", "d_fake_accuracy")]
        seen = out_of_reach(history, self.rise if any(recorded) else self.rise_unseen, untrained=untrained, noisy=False)
        if not history.lasting(seen, self.short_patience):
            seen = history.stalled(self.improvement, untrained=untrained)
            if not history.lasting(seen, history.patience(self.patience)):
                return None
        if any(right and sum(right) / len(right) < self.accuracy for right in recorded):
            return None
        seen_low = f"D loss below {marks.at(self.d_loss):.3g} for {low} of {self.window} {history.unit}"
        return f"{seen_low} while {history.describe_fid(seen, untrained=untrained)}"
