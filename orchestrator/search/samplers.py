"""Builds Optuna's samplers. `orchestrator.space.sections` says what each of them can do."""

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from orchestrator.space.domains import Choice, Domain
from orchestrator.space.sections import SAMPLERS, SamplerConfig

STARTUP = 10  # Optuna's default
POPULATION = 10  # Optuna's default is 50: a sweep of 40 trials would never reach a second generation


def _tpe(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    # group: keys that exist together are modelled together. constant_liar: running trials count as bad ones, so that
    # gangs that ask at the same time do not get similar settings.
    return optuna.samplers.TPESampler(
        seed=seed,
        multivariate=True,
        group=conditional,
        constant_liar=True,
        n_startup_trials=config.startup or STARTUP,
    )


def _gp(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    startup = config.startup or STARTUP
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)


def _cmaes(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    # Without pruned trials a generation would end only when `popsize` trials have survived the scheduler.
    return optuna.samplers.CmaEsSampler(
        seed=seed, popsize=config.population, consider_pruned_trials=True, warn_independent_sampling=False
    )


def _qmc(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def _random(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _nsga2(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=config.population or POPULATION)


_BUILD: dict[str, Callable[[SamplerConfig, int, bool], BaseSampler]] = {
    "tpe": _tpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "random": _random,
    "nsga2": _nsga2,
}
assert tuple(_BUILD) == tuple(SAMPLERS)


def build_sampler(config: SamplerConfig, seed: int, *, conditional: bool = False, asked: int = 0) -> BaseSampler:
    """The sampler that `config` names.

    Args:
        config: the sampler's name and options.
        seed: seed of its draws.
        conditional: whether some keys exist only for certain values of others.
        asked: number of trials that the study already has: a study that is opened again must not draw the same
            settings again.
    """
    if asked and not SAMPLERS[config.name].sequence:
        seed = int(np.random.SeedSequence((seed, asked)).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _BUILD[config.name](config, seed, conditional)


def left_to_chance(name: str, search: Mapping[str, Domain]) -> list[str]:
    """The searched keys that the sampler `name` does not model, but draws at random."""
    kind = SAMPLERS[name]
    return [
        key
        for key, domain in search.items()
        if (domain.when and not kind.conditions) or (isinstance(domain, Choice) and not kind.choices)
    ]
