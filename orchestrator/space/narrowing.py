"""``--narrow Q``: a space whose ranges are those in which earlier trials were good.

Perrone et al. 2019, "Learning search spaces for Bayesian optimization" (arXiv:1909.12552): the smallest box that holds
the best settings, here of the best share Q of the earlier trials and with a margin, so that none lies at an edge.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.space.domains import Choice, Domain, FloatRange, IntRange, Value
from orchestrator.space.load import build_space, space_as_yaml
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.errors import UserError

FEWEST = 4  # values; of fewer nobody can say in which range they lie
MARGIN = 0.1  # of the box's width, on each side
LEAST_MARGIN = 0.025  # of the whole range's width, on each side: the values may all be one
DIGITS = 3  # of an end that is narrowed, rounded outward


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """What has been narrowed, as a plan keeps it.

    Attributes:
        share: the best share of the earlier trials that counted.
        good: how many trials these were.
        trials: how many earlier trials there were.
        search: by narrowed key, its domain before, as in a space file; with keys that cannot exist any longer.
        base: by key, the base's value before, where it lay outside; it is that of the best earlier trial now.
        points: all known points before, where some lay outside.
    """

    share: float
    good: int
    trials: int
    search: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    points: list[dict[str, Any]] = field(default_factory=list)


def narrow(space: Space, good: Sequence[Mapping[str, Value]], *, share: float, trials: int) -> tuple[Space, Narrowing]:
    """A space with the ranges of some settings, and what that has changed.

    A key that fewer than `FEWEST` of them have keeps its range.

    Args:
        space: that could have proposed all of them.
        good: values of searched keys, the best first.
        share: which share of all settings these are.
        trials: how many these are the best of.

    Raises:
        UserError: there are fewer than `FEWEST`.
    """
    if len(good) < FEWEST:
        raise UserError(
            f"--narrow {share:g}: of {trials} earlier trials that fit, the best {share:.0%} are {len(good)} with an "
            f"objective: it takes {FEWEST} to say in which ranges they lie"
        )
    search = {}
    for name, domain in space.search.items():
        values = [params[name] for params in good if name in params]
        search[name] = narrowed_domain(domain, values) if len(values) >= FEWEST else domain
    before = space_as_yaml(space)
    definition = space_as_yaml(space.model_copy(update={"search": _possible(search)}))
    base = {}
    if not _inside(space.known_points()[0], search):
        flat = space.base.flat()
        base = {name: flat[name] for name in good[0] if flat[name] != good[0][name]}
        definition["base"] = TrainConfig.build(definition["base"], dict(good[0])).model_dump()
    kept = [
        point for point, whole in zip(space.points, space.known_points()[1:], strict=True) if _inside(whole, search)
    ]
    definition["points"] = [
        {name: value for name, value in point.items() if name in definition["search"]} for point in kept
    ]
    now = build_space(space.name, definition)
    changed = {name: domain for name, domain in before["search"].items() if definition["search"].get(name) != domain}
    points = before["points"] if len(kept) < len(space.points) else []
    return now, Narrowing(share=share, good=len(good), trials=trials, search=changed, base=base, points=points)


def narrowed_again(space: Space, narrowing: Narrowing, definition: Mapping[str, Any]) -> Space:
    """A space as its sweep was narrowed at the launch, as far as it is what was narrowed then.

    Args:
        space: as it is without that.
        narrowing: what the launch changed.
        definition: what came of it.
    """
    now = space_as_yaml(space)
    if any(now["search"].get(name) != domain for name, domain in narrowing.search.items()):
        return space  # its ranges are others by now, which is said elsewhere
    gone = set(narrowing.search) - set(definition["search"])
    search = {name: domain for name, domain in now["search"].items() if name not in gone}
    search |= {name: definition["search"][name] for name in narrowing.search if name not in gone}
    flat = space.base.flat()
    if narrowing.base and all(flat.get(name) == value for name, value in narrowing.base.items()):
        there = build_space(space.name, definition).base.flat()
        now["base"] = TrainConfig.build(now["base"], {name: there[name] for name in narrowing.base}).model_dump()
    if narrowing.points and now["points"] == narrowing.points:
        now["points"] = definition["points"]
    return build_space(space.name, {**now, "search": search})


def narrowed_domain(domain: Domain, values: Sequence[Value]) -> Domain:
    """The part of a domain that some of its values span, with a margin; of a choice those that occur."""
    match domain:
        case Choice():
            return domain.model_copy(update={"choice": tuple(one for one in domain.choice if one in values)})
        case FloatRange():
            low, high = _box(domain.bounds, values, log=domain.log)
            bounds = max(_rounded(low, math.floor), domain.bounds[0]), min(_rounded(high, math.ceil), domain.bounds[1])
            return domain.model_copy(update={"bounds": bounds})
        case IntRange():
            low, high = _box(domain.bounds, values, log=domain.log)
            first, last = domain.bounds
            below = first + math.floor((low - first) / domain.step) * domain.step
            above = last - math.floor((last - high) / domain.step) * domain.step
            numbers = [one for one in values if isinstance(one, int)]
            below, above = min(below, min(numbers) - domain.step), max(above, max(numbers) + domain.step)
            return domain.model_copy(update={"bounds": (max(below, first), min(above, last))})


def _box(bounds: tuple[float, float], values: Sequence[Value], *, log: bool) -> tuple[float, float]:
    """The ends of what `values` span, with the margin, inside `bounds`; of log domains in the logarithm."""
    numbers = [float(one) for one in (*bounds, *values) if isinstance(one, int | float)]
    scaled = [math.log(one) for one in numbers] if log else numbers
    (first, last), own = scaled[:2], scaled[2:]
    margin = max(MARGIN * (max(own) - min(own)), LEAST_MARGIN * (last - first))
    low, high = min(own) - margin, max(own) + margin
    ends = (math.exp(low), math.exp(high)) if log else (low, high)
    return max(ends[0], bounds[0]), min(ends[1], bounds[1])


def _rounded(value: float, direction: Callable[[float], int]) -> float:
    """To `DIGITS` digits, up or down."""
    if value == 0.0:
        return value
    unit = DIGITS - 1 - math.floor(math.log10(abs(value)))
    return float(f"{direction(value * 10.0**unit)}e{-unit}")


def _inside(params: Mapping[str, Value], search: Mapping[str, Domain]) -> bool:
    return all(search[name].contains(value) for name, value in params.items())


def _possible(search: dict[str, Domain]) -> dict[str, Domain]:
    """Without keys whose ``when:`` has become impossible; conditions name what is left."""
    while True:
        kept = {}
        for name, domain in search.items():
            when = {
                parent: tuple(one for one in allowed if parent not in search or search[parent].contains(one))
                for parent, allowed in domain.when.items()
            }
            if all(when.values()):
                kept[name] = domain.model_copy(update={"when": when})
        gone = search.keys() - kept.keys()
        if not gone:
            return kept
        search = {name: domain for name, domain in kept.items() if not gone & domain.when.keys()}
