"""New settings near those of a better trial: the explore step of population-based training (arXiv:1711.09846)."""

import math
from collections.abc import Mapping
from random import Random

from orchestrator.space.domains import Choice, FloatRange, IntRange, Value
from orchestrator.space.population import explored
from orchestrator.space.space import Space
from trainers.errors import UserError

TRIES = 10  # to find settings that are possible together, before the source's own are taken


def explore(space: Space, params: Mapping[str, Value], random: Random) -> dict[str, Value]:
    """Settings near `params`: each number that may change is multiplied by a factor, or drawn anew from its range.

    What comes out lies inside the range; a whole number moves by a step at least. All others, choices too, stay:
    they are those of the checkpoint that goes on.

    Args:
        space: ranges, factors and the probability of a new draw.
        params: searched values of the better trial.
        random: draws; the same state gives the same settings.
    """
    changing = [name for name in explored(space) if name in params]
    for _ in range(TRIES):
        found = dict(params)
        for name in changing:
            found[name] = _moved(space, name, params[name], random)
        try:
            space.resolve(found)
        except UserError:  # two of them do not go together
            continue
        return found
    return dict(params)


def _moved(space: Space, name: str, value: Value, random: Random) -> Value:
    domain, config = space.search[name], space.scheduler
    assert not isinstance(domain, Choice)
    anew, factor = random.random() < config.resample, random.choice(config.factors)
    share = random.random()
    if anew or not isinstance(value, int | float):
        return _drawn(domain, share)
    low, high = domain.bounds
    if isinstance(domain, FloatRange):
        return min(max(value * factor, low), high)
    steps = round((value * factor - low) / domain.step)
    before = round((value - low) / domain.step)
    if steps == before and factor != 1:
        steps += 1 if (factor > 1) == (value >= 0) else -1
    return int(min(max(low + steps * domain.step, low), high))


def _drawn(domain: FloatRange | IntRange, share: float) -> float | int:
    """The value below which `share` of the range's values lie."""
    low, high = domain.bounds
    if isinstance(domain, IntRange):
        if domain.log:
            return min(high, max(low, math.floor(math.exp(_between(math.log(low), math.log(high + 1), share)))))
        return low + domain.step * min((high - low) // domain.step, int(share * ((high - low) // domain.step + 1)))
    if domain.log:
        return min(high, max(low, math.exp(_between(math.log(low), math.log(high), share))))
    return _between(low, high, share)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
