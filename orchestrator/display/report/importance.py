"""Which searched keys matter: fANOVA over resampled trials, beside a key that means nothing."""

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.distributions import FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, create_trial

from orchestrator.display.report.entries import Group
from orchestrator.display.report.figures import Figure, plain
from orchestrator.display.report.part import Part
from orchestrator.display.report.target import Target, optuna_trials, study_of
from orchestrator.display.report.text import listed, plural
from orchestrator.space.objectives import called

FEWEST = 10  # trials
RESAMPLED = 12  # times, with replacement
MOST = 100  # trials of a resample: fANOVA of 500 trials takes 8 s, of 100 0.4 s
TREES = 32
CHANCE = "chance"  # a key whose values are drawn at random afterwards


@dataclass(frozen=True, kw_only=True)
class Importance:
    """The importance of a key, a share from 0 to 1: median, lowest and highest of the resamples."""

    name: str
    median: float
    low: float
    high: float


def importance(group: Group, target: Target) -> tuple[Part, list[str]]:
    """The part, and all keys that every trial has, the most important first."""
    trials = list(optuna_trials(group, target).values())
    shared = [name for name in group.searched if trials and all(name in trial.params for trial in trials)]
    varied = [name for name in shared if len({repr(trial.params[name]) for trial in trials}) > 1]
    values: dict[str, Any] = {"figure": None, "sentence": "", "target": target.sentence, "left_out": ""}
    part = partial(Part, name="importance", title="Importance")
    if len(trials) < FEWEST or len(varied) < 2 or len({trial.value for trial in trials}) < 2:
        values["sentence"] = (
            f"{plural(len(trials), 'trial')} with a {called(group.measure)} that compares, "
            f"{plural(len(varied), 'key')} that varied: too few to say which keys matter. "
            f"It takes {FEWEST} trials and 2 keys at least."
        )
        return part(values=values), varied
    what = f"{'log ' if _on_log(trials) else ''}{called(group.measure)}"
    found = measure(trials, varied)
    chance = next(one for one in found if one.name == CHANCE)
    above = [one.name for one in found if one.low > chance.high]
    others = "the other keys" if above else f"any of the {len(varied)} keys"
    values |= {
        "figure": _figure(found, what),
        "of": what,
        "sentence": (f"Above chance in every resample: {listed(above)}. " if above else "")
        + f"Resamples of {min(len(trials), MOST)} of {plural(len(trials), 'trial')} cannot tell {others} from chance.",
        "left_out": listed([name for name in group.searched if name not in varied]),
    }
    return part(values=values), [one.name for one in found if one.name != CHANCE]


def measure(trials: list[FrozenTrial], names: list[str]) -> list[Importance]:
    """The importance of keys, the highest median first, with that of `CHANCE` among them.

    Args:
        trials: with a value each, and all of the keys; where all values are positive, their logarithms count.
        names: of the keys.
    """
    draw = random.Random(0)
    seen: dict[str, list[float]] = {name: [] for name in (*names, CHANCE)}
    scale = math.log if _on_log(trials) else float
    own = [_with_chance(trial, names, draw.random(), scale) for trial in trials]
    for seed in range(RESAMPLED):
        resample = draw.choices(own, k=min(len(own), MOST))
        if len({trial.value for trial in resample}) < 2:
            continue
        evaluator = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        for name, value in get_param_importances(study_of(resample), evaluator=evaluator).items():
            seen[name].append(float(value))
    known = {name: values or [0.0] for name, values in seen.items()}
    found = [
        Importance(name=name, median=statistics.median(values), low=min(values), high=max(values))
        for name, values in known.items()
    ]
    return sorted(found, key=lambda one: -one.median)


def _on_log(trials: list[FrozenTrial]) -> bool:
    """Whether logarithms are compared: of FIDs always, which are positive; shares such as recall may be 0."""
    return all(trial.value is not None and trial.value > 0 for trial in trials)


def _with_chance(trial: FrozenTrial, names: list[str], number: float, scale: Callable[[float], float]) -> FrozenTrial:
    assert trial.value is not None
    return create_trial(
        params={**{name: trial.params[name] for name in names}, CHANCE: number},
        distributions={**{name: trial.distributions[name] for name in names}, CHANCE: FloatDistribution(0, 1)},
        value=scale(trial.value),
    )


def _figure(found: list[Importance], what: str) -> Figure:
    rows = found[::-1]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [one.median for one in rows],
        "y": [plain("chance (a meaningless key)" if one.name == CHANCE else one.name) for one in rows],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.median for one in rows],
            "arrayminus": [one.median - one.low for one in rows],
            "color": "--dim",
            "thickness": 1.4,
            "width": 3,
        },
        "marker": {"color": ["--outranked" if one.name == CHANCE else "--completed" for one in rows]},
        "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
    }
    title = {"text": f"share of the variance<br>of {what}", "standoff": 8}  # two lines: a phone's are short
    axis = {"title": title, "tickformat": ".0%", "rangemode": "tozero"}
    return {
        "data": [bars],
        "layout": {"xaxis": axis, "bargap": 0.45, "showlegend": False, "height": 108 + 26 * len(rows)},
    }
