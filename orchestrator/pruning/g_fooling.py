"""``g_fooling``: G has found a pattern that fools D but is no picture."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.g_loss_rule import GLossRule
from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Positive


class GFooling(GLossRule):
    """G's loss is low, or falls from each third of a window to the next, while FID stays far above its best.

    Source: the MLDS HW4 report. A generator loss that "keeps falling steadily" may mean that G found "a strange pattern
    that always fools" D; among its failures is one whose G loss "stayed below 0.5".

    NaN policy: reports without a finite g_loss are left out; with less than half of the window left the rule is silent.
    """

    name: ClassVar[str] = "g_fooling"

    g_loss: float = Field(
        0.5, description="a mean loss of G over the window below this is low; in units of binary cross-entropy"
    )
    fall: Positive = Field(0.1, description="share by which each third of the window must be nearer the lowest loss")

    def judge(self, history: History) -> str | None:
        found = self.under_bad_fid(history)
        if found is None:
            return None
        losses, risen = found
        assert history.scale.g is not None
        won, limit = history.scale.g.won, history.scale.g.at(self.g_loss)
        third, mean = len(losses) // 3, sum(losses) / len(losses)
        parts = losses[:third], losses[third : 2 * third], losses[-third:]
        first, second, last = (sum(part) / third for part in parts)
        if mean < limit:
            seen = f"G loss {mean:.3g} over {len(losses)} {history.unit}, below {limit:.3g},"
        elif second - won < (first - won) * (1 - self.fall) and last - won < (second - won) * (1 - self.fall):
            seen = f"G loss falling steadily from {first:.3g} to {last:.3g}"
        else:
            return None
        return f"{seen} while {history.describe_fid(risen, untrained=self.untrained(history))}"
