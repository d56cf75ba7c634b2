"""``grad_explosion``: gradients grow beyond all bounds."""

from typing import ClassVar

from pydantic import Field

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import SHORTEST_WARMUP, Count, Positive, Rule

NETWORKS = {"grad_norm_d": "D", "grad_norm_g": "G"}


class GradExplosion(Rule):
    """The gradient norm of D or G, averaged over an epoch, is above a limit in several epochs, or far above it once.

    Norms above the lower limit are tolerated while the newest FID is clearly the best so far: some losses and penalties
    have large gradients by nature. The best is that of all epochs, or that of the epochs after the first ten, in which
    the pictures of an untrained G may have a lower FID.
    A loss that declares no scale (`trainers.loss_scale`), such as Wasserstein's, has gradients without one: they grow
    with the critic's scores, and are left alone.
    Source: the MLDS HW4 report, "check norms of gradients: above 100 something is wrong". As measured that is too low:
    a good recorded training on photographs (`tests/benchmarks/bench_rules.py`) had G at 101, 154 and 162 among its
    last epochs, and one that came to pictures later had 1,011 in its first.

    NaN policy: epochs without a finite norm do not count (see ``nonfinite``).
    """

    name: ClassVar[str] = "grad_explosion"
    reads: ClassVar[tuple[str, ...]] = tuple(NETWORKS)
    tunable: ClassVar[dict[str, tuple[float, float]]] = {"norm": (30, 1000)}

    norm: Positive = Field(300.0, description="a gradient norm above this is too large")
    window: Count = Field(5, description="epochs looked at")
    times: Count = Field(3, description="epochs among them with too large a norm")
    at_once: Positive = Field(5000.0, description="a norm above this ends the trial at its first report")
    improvement: Positive = Field(
        0.02, description="share by which FID must have improved for large norms to be tolerated"
    )

    def judge(self, history: History) -> str | None:
        falling, scale = self._falling(history), history.scale
        for name, network in NETWORKS.items():
            if (scale.d if network == "D" else scale.g) is None:
                continue
            norms = history.tail(name, self.window)
            large = [norm for norm in norms if norm > self.norm]
            newest = history.last(name)
            if newest is not None and newest > self.at_once:
                return f"gradient norm of {network} is {newest:.3g}, above {self.at_once:g}"
            if len(large) >= self.times and not falling:
                return (
                    f"gradient norm of {network} above {self.norm:g} in {len(large)} of {len(norms)} {history.unit}, "
                    f"up to {max(large):.3g}"
                )
        return None

    def _falling(self, history: History) -> bool:
        """Whether the newest FID is clearly the best; one alone says nothing."""
        starts = (0, SHORTEST_WARMUP)
        counted = [start for start in starts if len(history.after(start)) > 1]
        return any(not history.stalled(self.improvement, untrained=start) for start in counted)
