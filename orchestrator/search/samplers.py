"""Samplers: who proposes the next setting. A new one is one row in `SAMPLERS`."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from orchestrator.space.domains import Choice, Domain
from trainers.errors import unknown_name

STARTUP = 10  # Optuna's own
POPULATION = 10  # Optuna's own is 50: a sweep of 40 trials would never see a second generation


def one_of(kind: str, names: tuple[str, ...]) -> AfterValidator:
    """A pydantic check that a string is one of `names`; its error has the nearest."""

    def check(name: str) -> str:
        if name not in names:
            raise unknown_name(kind, name, names)
        return name

    return AfterValidator(check)


NAMES = ("tpe", "gp", "cmaes", "qmc", "random", "nsga2")


class SamplerConfig(BaseModel):
    """Who proposes settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, one_of("sampler", NAMES)] = Field(
        "tpe", description="tpe, gp (Gaussian process), cmaes, qmc (Sobol sequence), random, nsga2 (two objectives)"
    )
    startup: int | None = Field(None, ge=1, description="tpe, gp: trials before the model is used; None: 10")
    population: int | None = Field(None, ge=2, description="nsga2, cmaes: trials of a generation; None: 10, or its own")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for option in ("startup", "population"):
            if getattr(self, option) is not None and option not in SAMPLERS[self.name].options:
                having = " and ".join(name for name, kind in SAMPLERS.items() if option in kind.options)
                raise ValueError(f"sampler {self.name} has no {option}; {having} have")
        return self


@dataclass(frozen=True)
class SamplerKind:
    """What a sampler is and can do.

    Attributes:
        build: ``build(config, seed, conditional)``.
        options: fields of `SamplerConfig` that mean something to it.
        several_objectives: whether it can search for two objectives.
        conditions: whether it models keys that not every trial has; else it draws them at random.
        choices: whether it models choices; else it draws them at random.
        violations: whether it learns from a failed trial that its setting is not feasible. A failed trial has no value,
            so it can only be told PRUNED, and Optuna's GP and NSGA-II read the constraints of COMPLETE trials alone.
        learns_from_cut: whether trials that the scheduler cut teach it anything.
        sequence: whether it goes on where it was when built again with the same seed.
    """

    build: Callable[[SamplerConfig, int, bool], BaseSampler]
    options: frozenset[str] = frozenset()
    several_objectives: bool = True
    conditions: bool = False
    choices: bool = True
    violations: bool = False
    learns_from_cut: bool = False
    sequence: bool = False


def _tpe(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    # group: keys that exist together are modelled together. constant_liar: running trials count as bad ones, so that
    # gangs that ask at the same time are not sent to the same place.
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
    # Without pruned trials a generation would end only when its size in trials has survived the scheduler.
    return optuna.samplers.CmaEsSampler(
        seed=seed, popsize=config.population, consider_pruned_trials=True, warn_independent_sampling=False
    )


def _qmc(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def _random(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _nsga2(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=config.population or POPULATION)


SAMPLERS: dict[str, SamplerKind] = {
    "tpe": SamplerKind(_tpe, frozenset({"startup"}), conditions=True, violations=True, learns_from_cut=True),
    "gp": SamplerKind(_gp, frozenset({"startup"})),
    "cmaes": SamplerKind(
        _cmaes, frozenset({"population"}), several_objectives=False, choices=False, learns_from_cut=True
    ),
    "qmc": SamplerKind(_qmc, learns_from_cut=True, sequence=True),  # it learns from nothing, so misses nothing
    "random": SamplerKind(_random, conditions=True, learns_from_cut=True),
    "nsga2": SamplerKind(_nsga2, frozenset({"population"})),
}
assert tuple(SAMPLERS) == NAMES


def build_sampler(config: SamplerConfig, seed: int, *, conditional: bool = False, asked: int = 0) -> BaseSampler:
    """The sampler that `config` names.

    Args:
        config: which, and its options.
        seed: of its draws.
        conditional: whether some keys exist only beside certain values of others.
        asked: trials that the study has already: a study that is opened again must not draw the same settings again.
    """
    kind = SAMPLERS[config.name]
    if asked and not kind.sequence:
        seed = int(np.random.SeedSequence((seed, asked)).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return kind.build(config, seed, conditional)


def left_to_chance(name: str, search: Mapping[str, Domain]) -> list[str]:
    """The searched keys that the sampler `name` does not model, but draws at random."""
    kind = SAMPLERS[name]
    return [
        key
        for key, domain in search.items()
        if (domain.when and not kind.conditions) or (isinstance(domain, Choice) and not kind.choices)
    ]
