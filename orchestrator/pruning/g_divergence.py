"""``g_divergence``: G's loss keeps rising, because D has memorised the data."""

from statistics import median
from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.g_loss_rule import GLossRule
from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Positive


class GDivergence(GLossRule):
    """G's loss is far above what it was before the window, while FID stays far above its best.

    Source: the MLDS HW4 report: a generator loss that "rises abnormally" may mean that D has learned the real images by
    heart. A critic's loss rises in healthy runs too: in a public WGAN-GP run from 12 to 196.

    NaN policy: reports without a finite g_loss are left out; with less than half of the window left the rule is silent.
    """

    name: ClassVar[str] = "g_divergence"
    tunable: ClassVar[dict[str, tuple[float, float]]] = {**GLossRule.tunable, "factor": (1.5, 6)}

    factor: Positive = Field(
        3.0, description="mean loss of the window against the median before it, both above its lowest value"
    )

    def judge(self, history: History) -> str | None:
        found = self.under_bad_fid(history)
        if found is None:
            return None
        losses, risen = found
        before = history.tail("g_loss", history.reports)[: -len(losses)]
        if len(before) < len(losses):
            return None
        assert history.scale.g is not None
        won = history.scale.g.won
        mean, usual = sum(losses) / len(losses), won + median(abs(loss - won) for loss in before)
        if mean - won <= self.factor * (usual - won):
            return None
        seen = history.describe_fid(risen, untrained=self.untrained(history))
        return f"G loss rose to {mean:.3g} from {usual:.3g} while {seen}"
