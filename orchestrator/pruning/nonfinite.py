"""``nonfinite``: a loss, a gradient or a weight is NaN or infinite."""

import math
from typing import ClassVar

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Rule


class Nonfinite(Rule):
    """Any metric of the newest report is NaN or infinite. Trips at once: no training recovers from that.

    NaN policy: this rule is the NaN policy; all others leave such values out. A metric that a report lacks is no
    finding. Samples that are not finite end the trial in the training loop, under the same name.
    """

    name: ClassVar[str] = "nonfinite"

    def judge(self, history: History) -> str | None:
        wrong = [
            f"{name} is {values[-1]}"
            for name, values in history.metrics.items()
            if values[-1] is not None and not math.isfinite(values[-1])
        ]
        return f"{', '.join(sorted(wrong))} at {history.mark} {history.steps[-1]}" if wrong else None
