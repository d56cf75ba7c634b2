"""D is held back while it is ahead of G (the Edouard99/GAN repository, "Monitored Training")."""

from typing import Any

import torch
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
        self._g_loss: Tensor | float | None = None  # a float only after a resume

    @classmethod
    def from_config(cls, config: RegimeConfig) -> "Monitored":
        """The ratio and steps of `config`."""
        return cls(config.monitored_ratio, config.g_steps)

    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        """Both; `allows_d` decides on D."""
        return Updates(d=True, g_steps=self.g_steps)

    def allows_d(self, d_loss: Tensor) -> Tensor:
        """Whether D is not too far ahead, over all ranks; decided on the device, in double precision."""
        if self._g_loss is None:
            return torch.ones_like(d_loss, dtype=torch.bool)
        return batch_mean(d_loss.detach()).double() > self.ratio * self._g_loss

    def saw_g(self, g_loss: Tensor) -> None:
        """Remember the loss, over all ranks."""
        self._g_loss = batch_mean(g_loss.detach()).double()

    def state_dict(self) -> dict[str, Any]:
        """The last loss of G, a number."""
        return {"g_loss": None if self._g_loss is None else float(self._g_loss)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._g_loss = state["g_loss"]
