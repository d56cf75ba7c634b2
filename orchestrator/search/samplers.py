"""Builds Optuna's samplers. `orchestrator.space.sections` says what each of them can do."""

import math
import random
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from orchestrator.search.both import with_both
from orchestrator.search.excerpt import Excerpter
from orchestrator.search.near_best import NearBestTPE, any_learns
from orchestrator.search.ranks import StudyView
from orchestrator.search.scores import with_scores
from orchestrator.space.domains import Choice, Domain
from orchestrator.space.objectives import COSTS
from orchestrator.space.sections import SAMPLERS, SamplerConfig
from trainers.config import MOST
from trainers.metric_names import FID

STARTUP = 10  # Optuna's default
RANDOM = 0.125  # BOHB's is 1/3
UNTIL_ONE_LEARNS = 0.5  # the same until a trial has learned anything
POPULATION = 10  # Optuna's default is 50: a sweep of 40 trials would never reach a second generation


def _tpe(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    # group: keys that exist together are modelled together. constant_liar: running trials count as bad ones, so that
    # gangs that ask at the same time do not get similar settings.
    return NearBestTPE(
        seed=seed,
        multivariate=True,
        group=conditional,
        constant_liar=True,
        n_startup_trials=config.startup or STARTUP,
    )


def _gp(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    startup = config.startup or STARTUP
    return _GpByTrials(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)


def _cmaes(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    # Without pruned trials a generation would end only when `popsize` trials have survived the scheduler.
    return optuna.samplers.CmaEsSampler(
        seed=seed, popsize=config.population, consider_pruned_trials=True, warn_independent_sampling=False
    )


def _qmc(config: SamplerConfig, seed: int, conditional: bool) -> BaseSampler:
    return _QmcByNumber(seed=seed, scramble=True, warn_independent_sampling=False)


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


def build_sampler(
    config: SamplerConfig, seed: int, *, conditional: bool = False, objectives: Sequence[str] = (FID,)
) -> BaseSampler:
    """The sampler that `config` names.

    Args:
        config: the sampler's name and options.
        seed: seed of its draws.
        conditional: whether some keys exist only for certain values of others.
        objectives: what is searched for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        sampler = _BUILD[config.name](config, seed, conditional)
        return SeededByTrial(sampler, seed, objectives, *_shares(config), config.startup or STARTUP)


def _shares(config: SamplerConfig) -> tuple[float, float]:
    """Of the trials after the first, those to draw at random: once one has learned anything, and until then."""
    if "random_fraction" not in SAMPLERS[config.name].options:
        return 0.0, 0.0
    fraction = config.random_fraction
    return (RANDOM, UNTIL_ONE_LEARNS) if fraction is None else (fraction, fraction)


# What a sampler sees of a study for the trial of a number, with the numbers of those that are measured and not over.
View = Callable[[Study, int, Collection[int]], Any]


def _view_for(sampler: BaseSampler, objectives: Sequence[str]) -> View:
    learns = isinstance(sampler, optuna.samplers.TPESampler | optuna.samplers.GPSampler | optuna.samplers.NSGAIISampler)
    if len(objectives) > 1 and learns:
        costs = objectives[1] in COSTS
        constraints = not isinstance(sampler, optuna.samplers.GPSampler)
        return lambda study, number, measured: with_both(study, measured, costs=costs, constraints=constraints)
    if isinstance(sampler, optuna.samplers.TPESampler):
        return Excerpter().of
    if isinstance(sampler, optuna.samplers.GPSampler):
        return lambda study, number, measured: with_scores(study, measured)
    return lambda study, number, measured: study


class SeededByTrial(BaseSampler):
    """Seeds a sampler anew for each trial, and for each value that is drawn by itself.

    What a trial gets then depends on its number and on the trials that are over, not on how often the sampler was made
    or asked: a sweep that goes on after its driver's death proposes what it would have proposed.

    Args:
        sampler: draws from Optuna's random states alone.
        seed: of all draws.
        objectives: what is searched for.
        at_random: the share of the trials whose values are drawn at random, whatever the sampler knows.
        until_one_learns: the same until a trial has learned anything (`any_learns`).
        startup: these shares are of those from this number on.

    Attributes:
        measured: returns the numbers of the trials that are not over, and from whose FIDs `tpe` and `gp` learn all the
            same.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        seed: int,
        objectives: Sequence[str] = (FID,),
        at_random: float = 0.0,
        until_one_learns: float = 0.0,
        startup: int = 0,
    ) -> None:
        self.sampler = sampler
        self._random = optuna.samplers.RandomSampler()
        self._seed, self._startup = seed, startup
        self._at_random, self._until_one_learns = at_random, until_one_learns
        self.measured: Callable[[], Collection[int]] = tuple
        self._decided: dict[int, bool] = {}  # of trials by number whether they are drawn at random
        self._view = _view_for(sampler, objectives)

    def __str__(self) -> str:
        return str(self.sampler)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler does; of a trial that is drawn at random no key."""
        if self._is_random(study, trial):
            return {}
        return self.sampler.infer_relative_search_space(self._shown(study, trial), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does, with the trial's seed."""
        if self._is_random(study, trial):
            return {}
        self._start(trial)
        return self.sampler.sample_relative(self._shown(study, trial), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler does, with the seed of the trial and the parameter."""
        self._start(trial, param_name)
        if self._is_random(study, trial):
            return self._random.sample_independent(study, trial, param_name, param_distribution)
        return self.sampler.sample_independent(self._shown(study, trial), trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """As the sampler does."""
        self.sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As the sampler does."""
        self.sampler.after_trial(study, trial, state, values)

    def _shown(self, study: Study, trial: FrozenTrial) -> Study:
        """What the sampler sees of a study."""
        shown: Study = self._view(study, trial.number, self.measured())
        return shown

    def _is_random(self, study: Study, trial: FrozenTrial) -> bool:
        if trial.number not in self._decided:
            share = self._at_random
            if self._until_one_learns != share and not any_learns(study, self.measured()):
                share = self._until_one_learns
            self._decided[trial.number] = drawn_at_random(trial.number - self._startup, self._seed, share)
        return self._decided[trial.number]

    def _start(self, trial: FrozenTrial, param: str = "") -> None:
        sequence = np.random.SeedSequence((self._seed, trial.number, crc32(param.encode())))
        for sampler in (self.sampler, self._random):
            _seed_all(sampler, int(sequence.generate_state(1)[0]))


def drawn_at_random(number: int, seed: int, share: float) -> bool:
    """Whether a trial is one of those that are drawn at random.

    Of each 1 / `share` trials in a row one is, so that a short search has some, too. Which one, chance says: turns
    would fall together with those in which Hyperband fills its brackets.

    Args:
        number: of the trial, counted from the first after `startup`; one before it is not.
        seed: of the sampler.
        share: of all trials, in [0, 1).
    """
    if number < 0 or share == 0:
        return False
    length = math.ceil(min(1 / share, MOST))
    row, place = divmod(number, length)
    count = math.floor((row + 1) * length * share) - math.floor(row * length * share)
    return place in random.Random(f"{seed} {row}").sample(range(length), count)


def _seed_all(sampler: BaseSampler, seed: int) -> None:
    """Seed a sampler's random states, and those of the samplers that it asks. Optuna can only make them random."""
    for part in vars(sampler).values():
        if isinstance(part, LazyRandomState):
            part.rng.seed(seed)
        elif isinstance(part, BaseSampler):
            _seed_all(part, seed)


class _GpByTrials(optuna.samplers.GPSampler):
    """Knows the other trials alone.

    Optuna's starts each fit from its last one, which a new process does not have, and keeps away from a running trial
    also where it is the one to propose for, and a process that died had drawn its values.
    """

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._gprs_cache_list = self._constraints_gprs_cache_list = None
        others = [one for one in study._get_trials(deepcopy=False) if one.number != trial.number]
        alone: Any = StudyView(study, others)
        return super().sample_relative(alone, trial, search_space)


class _QmcByNumber(optuna.samplers.QMCSampler):
    """Takes the point of the sequence that has the trial's number; Optuna's counts how often it was asked."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._number = trial.number
        return super().sample_relative(study, trial, search_space)

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


def left_to_chance(name: str, search: Mapping[str, Domain]) -> list[str]:
    """The searched keys that the sampler `name` does not model, but draws at random."""
    kind = SAMPLERS[name]
    return [
        key
        for key, domain in search.items()
        if (domain.when and not kind.conditions) or (isinstance(domain, Choice) and not kind.choices)
    ]
