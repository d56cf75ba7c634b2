"""Update rules by name. A new one is one file and one row here; tests/contracts runs on every row."""

from collections.abc import Callable

from trainers.config import RegimeConfig
from trainers.errors import unknown_name
from trainers.regimes.base import Regime, Updates
from trainers.regimes.boosted import Boosted
from trainers.regimes.classic import Classic
from trainers.regimes.monitored import Monitored
from trainers.regimes.n_critic import NCritic

REGIMES: dict[str, Callable[[RegimeConfig], Regime]] = {
    "boosted": Boosted.from_config,
    "classic": Classic.from_config,
    "monitored": Monitored.from_config,
    "n_critic": NCritic.from_config,
}


def build_regime(config: RegimeConfig) -> Regime:
    """The regime that `config` names.

    Raises:
        UserError: no such regime.
    """
    if config.name not in REGIMES:
        raise unknown_name("regime.name", config.name, REGIMES)
    return REGIMES[config.name](config)


__all__ = ["REGIMES", "Regime", "Updates", "build_regime"]
