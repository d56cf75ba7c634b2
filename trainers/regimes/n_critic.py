"""D is updated several times per update of G (Arjovsky et al. 2017, arXiv:1701.07875; WGAN of Edouard99/GAN)."""

from dataclasses import dataclass

from trainers.config import RegimeConfig
from trainers.randomness import GlobalRandom
from trainers.regimes.base import Regime, Updates


@dataclass(frozen=True)
class NCritic(Regime):
    """D on every batch, G on every `n_critic`-th, the first included, as the Edouard99/GAN repository's code counts.

    Iterations are counted over the whole run, so that G trains even if an epoch has fewer batches than `n_critic`.
    """

    n_critic: int
    g_steps: int

    @classmethod
    def from_config(cls, config: RegimeConfig) -> "NCritic":
        """The steps of `config`."""
        return cls(config.n_critic, config.g_steps)

    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        """D always; G at iterations 0, `n_critic`, 2 `n_critic` and so on."""
        return Updates(d=True, g_steps=self.g_steps if iteration % self.n_critic == 0 else 0)
