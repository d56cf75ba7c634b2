"""D is held back while it is ahead of G (the Edouard99/GAN repository, "Monitored Training")."""

from typing import Any

from torch import Tensor

from trainers.config import RegimeConfig
from trainers.distributed import batch_mean
from trainers.randomness import GlobalRandom
from trainers.regimes.base import Regime, Updates


class Monitored(Regime):
    """As `Classic`, but D is updated only where ``d_loss > ratio * g_loss``.

    As in the Edouard99/GAN repository's code the loss of G is the last one before this D step, and the first iteration
    updates D. The MLDS HW4 report warns of such rules ("breaks easily"); a sweep over regimes can test that.
    """

    def __init__(self, ratio: float, g_steps: int) -> None:
        self.ratio, self.g_steps = ratio, g_steps
        self._g_loss: float | None = None

    @classmethod
    def from_config(cls, config: RegimeConfig) -> "Monitored":
        """The ratio and steps of `config`."""
        return cls(config.monitored_ratio, config.g_steps)

    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        """Both; `allows_d` decides on D."""
        return Updates(d=True, g_steps=self.g_steps)

    def allows_d(self, d_loss: Tensor) -> bool:
        """Whether D is not too far ahead, over all ranks."""
        return self._g_loss is None or batch_mean(d_loss.detach()).item() > self.ratio * self._g_loss

    def saw_g(self, g_loss: Tensor) -> None:
        """Remember the loss, over all ranks."""
        self._g_loss = batch_mean(g_loss.detach()).item()

    def state_dict(self) -> dict[str, Any]:
        """The last loss of G."""
        return {"g_loss": self._g_loss}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._g_loss = state["g_loss"]
