"""``g_divergence``: G's loss runs away, since D has learned the data by heart."""

from statistics import median
from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Positive, Rule, Span


class GDivergence(Rule):
    """G's loss is far above what it was before the window, while FID stays far above its best.

    Source: document 001, "G loss rising abnormally: D memorised the data". The loss of a critic rises in healthy runs,
    too (a public WGAN-GP run went from 12 to 196), hence the demand on FID.

    NaN policy: reports without a finite g_loss are left out; with less than half of the window left nothing is said.
    """

    name: ClassVar[str] = "g_divergence"
    reads: ClassVar[tuple[str, ...]] = ("g_loss",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {
        "factor": (1.5, 6),
        "rise": (0.1, 1.0),
        "patience": (0.04, 0.2),
    }

    warmup: Span = Field(0.15, description="epochs without judgement; below 1: share of the run, 10 at least")
    factor: Positive = Field(3.0, description="mean loss of the window against the median before it, for a divergence")
    window: Span = Field(0.05, description="epochs looked at, 6 at least; below 1: share of the planned run")
    patience: Span = Field(
        0.08, description="epochs with a FID above the best, 3 rungs at least; below 1: share of the planned run"
    )
    rise: Positive = Field(0.25, description="share by which it must lie above it")

    def judge(self, history: History) -> str | None:
        """See the class."""
        risen = history.risen(self.rise)
        if not history.lasting(risen, self.patience):
            return None
        window = max(history.span(self.window), 6)
        losses = history.tail("g_loss", window)
        before = history.tail("g_loss", history.reports)[: -len(losses)]
        if len(losses) < window / 2 or len(before) < window:
            return None
        mean, usual = sum(losses) / len(losses), median(map(abs, before))
        if mean <= self.factor * usual:
            return None
        return f"G loss rose to {mean:.3g} from {usual:.3g} while {history.fid_told(risen)}"
