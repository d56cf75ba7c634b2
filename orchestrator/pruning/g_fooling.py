"""``g_fooling``: G has found a pattern that fools D and is no picture."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Positive, Rule, Span


class GFooling(Rule):
    """G's loss is low, or falls from part to part of a window, while FID stays far above its best.

    Source: document 001, "G loss below 0.5, or falling steadily: G found a pattern that fools D". Under hinge and
    Wasserstein losses a low G loss is ordinary, hence the demand on FID.

    NaN policy: reports without a finite g_loss are left out; with less than half of the window left nothing is said.
    """

    name: ClassVar[str] = "g_fooling"
    reads: ClassVar[tuple[str, ...]] = ("g_loss",)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"rise": (0.1, 1.0), "patience": (0.04, 0.2)}

    warmup: Span = Field(0.15, description="epochs without judgement; below 1: share of the run, 10 at least")
    g_loss: float = Field(0.5, description="a mean loss of G over the window below this is low")
    window: Span = Field(0.05, description="epochs looked at, 6 at least; below 1: share of the planned run")
    fall: Positive = Field(0.1, description="share by which each third of the window must lie below the one before")
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
        if len(losses) < max(window / 2, 6):
            return None
        third = len(losses) // 3
        first, second, last = (
            sum(part) / third for part in (losses[:third], losses[third : 2 * third], losses[-third:])
        )
        mean = sum(losses) / len(losses)
        if mean < self.g_loss:
            seen = f"G loss {mean:.3g} over {len(losses)} {history.unit}, below {self.g_loss:g},"
        elif second < first * (1 - self.fall) and last < second * (1 - self.fall):
            seen = f"G loss falling steadily from {first:.3g} to {last:.3g}"
        else:
            return None
        return f"{seen} while {history.fid_told(risen)}"
