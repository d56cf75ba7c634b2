"""Every iteration updates both: D on each batch, then G."""

from dataclasses import dataclass

from trainers.config import RegimeConfig
from trainers.randomness import GlobalRandom
from trainers.regimes.base import Regime, Updates


@dataclass(frozen=True)
class Classic(Regime):
    """One D update, then `g_steps` G updates on fresh latents (two in the MLDS HW4 report)."""

    g_steps: int

    @classmethod
    def from_config(cls, config: RegimeConfig) -> "Classic":
        """The steps of `config`."""
        return cls(config.g_steps)

    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        """Always the same."""
        return Updates(d=True, g_steps=self.g_steps)
