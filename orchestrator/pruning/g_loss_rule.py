"""The base of the rules on G's loss: they trip only while FID stays far above its best."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import FidPoint, History
from orchestrator.pruning.reach import out_of_reach
from orchestrator.pruning.rule import Positive, Rule, Span


class GLossRule(Rule):
    """A rule on G's loss over a window. Low and high values are ordinary with many GAN losses, so FID must be bad too:
    out of its reach (`orchestrator.pruning.reach`).

    What a value means the loss declares (`trainers.loss_scale`): under least squares an undecided D gives G 0.25, where
    binary cross-entropy gives 0.69. A log that does not name its loss is read as binary cross-entropy.

    NaN policy: reports without a finite g_loss are left out; with less than half of the window left the rule is silent.
    """

    reads: ClassVar[tuple[str, ...]] = ("g_loss",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"rise": (0.1, 1.0), "patience": (0.04, 0.2)}

    warmup: Span = Field(0.15, description="epochs in which the rule is silent; below 1: share of the run, 10 at least")
    window: Span = Field(0.05, description="epochs looked at, 6 at least; below 1: share of the planned run")
    patience: Span = Field(
        0.08, description="epochs with a FID beyond reach, 3 measurements at least; below 1: share of the planned run"
    )
    rise: Positive = Field(0.3, description="share above the best that is within reach at the end of the run")

    def under_bad_fid(self, history: History) -> tuple[list[float], list[FidPoint]] | None:
        """G's losses in the window, and the latest FIDs, far above the best; None where there are too few of either.

        None too where the loss declares that no value of G's means anything.
        """
        if history.scale.g is None:
            return None
        risen = out_of_reach(history, self.rise, untrained=self.untrained(history))
        if not history.lasting(risen, self.patience):
            return None
        window = max(history.span(self.window), 6)
        losses = history.tail("g_loss", window)
        return None if len(losses) < max(window / 2, 6) else (losses, risen)
