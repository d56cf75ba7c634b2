"""``grad_vanish``: gradients are almost zero."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.grad_explosion import NETWORKS
from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Count, Positive, Rule


class GradVanish(Rule):
    """The gradient norm of D or G stays close to zero: that network no longer learns.

    NaN policy: epochs without a finite norm, or in which that network was not updated, do not count.
    """

    name: ClassVar[str] = "grad_vanish"
    reads: ClassVar[tuple[str, ...]] = tuple(NETWORKS)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"norm": (1e-7, 1e-3)}

    norm: Positive = Field(1e-4, description="a gradient norm below this counts as zero")
    patience: Count = Field(2, description="epochs in a row")

    def judge(self, history: History) -> str | None:
        for name, network in NETWORKS.items():
            norms = history.tail(name, self.patience)
            if len(norms) == self.patience and max(norms) < self.norm:
                where = f"for {self.patience} {history.unit}"
                return f"gradient norm of {network} below {self.norm:g} {where}, now {norms[-1]:.3g}"
        return None
