"""Random boosts of one network, and swapped labels (the Edouard99/GAN repository, "Boost and Noisy Training")."""

from typing import Any, Literal

from trainers.config import RegimeConfig
from trainers.randomness import GlobalRandom
from trainers.regimes.base import Regime, Updates

BOOST_ITERATIONS = 100  # including the one that starts the boost


class Boosted(Regime):
    """Each iteration draws k, uniform in [0, 1):

    ====================  ==============================================================
    k                     updates
    ====================  ==============================================================
    [0, 0.0001)           G alone, for 100 iterations
    [0.0001, 0.001)       D alone, for 100 iterations
    [0.001, 0.93)         D, then G
    [0.93, 1)             D with real images labelled fake and fakes labelled real, then G
    ====================  ==============================================================

    During a boost nothing is drawn. The repository's table leaves k = 0.0001 and k = 0.001 open; here they belong to
    the lower row.
    """

    def __init__(self, g_steps: int) -> None:
        self.g_steps = g_steps
        self._boosting: Literal["d", "g"] | None = None
        self._left = 0

    @classmethod
    def from_config(cls, config: RegimeConfig) -> "Boosted":
        """The steps of `config`."""
        return cls(config.g_steps)

    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        """The updates of the boost in progress, else those of a new k."""
        if self._left == 0:
            k = random.chance()
            if k >= 0.001:
                return Updates(d=True, g_steps=self.g_steps, swapped=k >= 0.93)
            self._boosting, self._left = "g" if k < 0.0001 else "d", BOOST_ITERATIONS
        self._left -= 1
        alone_g = self._boosting == "g"
        return Updates(d=not alone_g, g_steps=self.g_steps if alone_g else 0)

    def state_dict(self) -> dict[str, Any]:
        """The boost in progress."""
        return {"boosting": self._boosting, "left": self._left}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._boosting, self._left = state["boosting"], state["left"]
