"""Which value is compared with the searched ones: of each trial one number of the objective, measured alike in all."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial, FrozenTrial, create_trial

from orchestrator.display.report.entries import Group
from orchestrator.display.report.text import plural, verb
from orchestrator.space.objectives import called
from orchestrator.space.space import Space

ENOUGH = 20  # trials with an objective; with fewer, an earlier FID that more trials have says more


@dataclass(frozen=True, kw_only=True)
class Target:
    """A number of each trial.

    Attributes:
        name: of the number, on axes.
        short: the same, on small ones.
        sentence: what it is and why it was chosen, for people.
        values: by entry; only finite ones.
    """

    name: str
    short: str
    sentence: str
    values: dict[str, float]


def target_of(group: Group) -> Target:
    """The objective where enough trials have one, else its value at the epoch that the most trials were measured at."""
    what = called(group.measure)
    objectives = {entry.key: value for entry in group.entries if (value := entry.finite_objective) is not None}
    whole = Target(
        name=f"objective ({what})",
        short=what,
        sentence=f"Of the objective, which {_have(len(objectives))}.",
        values=objectives,
    )
    if len(objectives) >= ENOUGH:
        return whole
    by_epoch: dict[tuple[int, int | None], dict[str, float]] = defaultdict(dict)
    for entry in group.entries:
        for one in entry.measured:
            by_epoch[one.epoch, one.n_fake][entry.key] = one.value
    (epoch, _), values = max(by_epoch.items(), key=lambda item: (len(item[1]), item[0][0]), default=((0, None), {}))
    if len(values) <= len(objectives):
        return whole
    return Target(
        name=f"{what} at epoch {epoch}",
        short=f"{what}, epoch {epoch}",
        sentence=f"Only {_have(len(objectives))} an objective, so this is the {what} at epoch {epoch}, "
        f"which {_have(len(values))}: what makes a good start, which need not be what wins.",
        values=values,
    )


def _have(count: int) -> str:
    return f"{plural(count, 'trial')} {verb(count, 'has', 'have')}"


def optuna_trials(group: Group, target: Target) -> dict[str, FrozenTrial]:
    """The trials as Optuna takes them, by entry; those whose values the space does not know are left out."""
    found = {}
    for entry in group.entries:
        space = entry.sweep.space
        if entry.key not in target.values or space is None:
            continue
        if distributions := distributions_of(space, entry.trial.params):
            params = {name: entry.trial.params[name] for name in distributions}
            found[entry.key] = create_trial(params=params, distributions=distributions, value=target.values[entry.key])
    return found


def study_of(trials: list[FrozenTrial]) -> optuna.Study:
    """A study in memory."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study()
        study.add_trials(trials)
    finally:
        optuna.logging.set_verbosity(before)
    return study


def distributions_of(space: Space, params: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """The searched keys of a trial as Optuna knows them; empty where a value lies outside its domain."""
    fixed = FixedTrial(dict(params))
    try:
        for name, domain in space.search.items():
            if name in params:
                domain.suggest(fixed, name)
    except ValueError:  # a value outside its domain
        return {}
    return fixed.distributions
