"""The best values lie at the edge of their range: a better one may lie beyond."""

import math
from collections.abc import Iterator, Sequence

from orchestrator.display.advice.finding import LEVEL, Facts, Finding, at_position, chance_text, position
from orchestrator.display.winner_text import short
from orchestrator.results.records import TrialRecord
from orchestrator.space.domains import Choice, FloatRange, IntRange
from orchestrator.space.load import check_space
from orchestrator.space.space import Space
from trainers.errors import UserError

FEWEST = 3  # of the best trials
SHARE = 1 / 8  # of all trials
AT = 0.05  # of the range: the best value's distance from the end, in the range's own scale
NEAR = 0.1  # and that of the others of the best
WIDER = (0.25, 0.1, 0.05)  # of the range; the first that makes a valid space


def edges(facts: Facts) -> Iterator[Finding]:
    """A finding for each key whose best values lie at one end of its range more often than chance has it.

    Chance draws as many trials as the best few from all that have the key: how often would all of them lie there?
    """
    domains = {name: domain for name, domain in facts.space.search.items() if not isinstance(domain, Choice)}
    for name, domain in domains.items():
        own = Facts(facts.space, [trial for trial in facts.trials if name in trial.params])
        few = own.best(FEWEST, SHARE)
        if not few or few[0] is not facts.trials[0]:
            continue
        for end in (0, 1):
            if text := _sentence(name, domain, end, own.trials, few, facts.space, LEVEL / len(domains)):
                yield Finding(about="edge", key=name, text=text)


def _sentence(
    name: str,
    domain: FloatRange | IntRange,
    end: int,
    trials: Sequence[TrialRecord],
    few: Sequence[TrialRecord],
    space: Space,
    level: float,
) -> str:
    def away(trial: TrialRecord) -> float:
        value = trial.params[name]
        assert isinstance(value, int | float)
        return abs(position(domain, value) - end)

    if away(few[0]) > AT or any(away(trial) > NEAR for trial in few):
        return ""
    there = sum(away(trial) <= NEAR for trial in trials)
    chance = math.comb(there, len(few)) / math.comb(len(trials), len(few))
    if chance > level or (wider := widened(name, domain, end, space)) is None:
        return ""
    best, side = few[0], ("lower", "upper")[end]
    return (
        f"{name}: the best trial, {best.trial_id}, has {short(best.params[name])}, {away(best):.0%} of the range from "
        f"its {side} end ({short(domain.bounds[end])}), and the best {len(few)} of {len(trials)} trials lie within "
        f"{NEAR:.0%} of that end, where {there} of all lie. Chance alone would put them there in "
        f"{chance_text(chance)}. A better value may lie beyond: widen the range to {wider}."
    )


def widened(name: str, domain: FloatRange | IntRange, end: int, space: Space) -> FloatRange | IntRange | None:
    """A range that reaches further at its low end (0) or high end (1); None where no such space is valid."""
    low, high = domain.bounds
    for share in WIDER:
        beyond = at_position(domain, 1 + share if end else -share)
        if isinstance(domain, IntRange):
            steps = max(1, round(abs(beyond - domain.bounds[end]) / domain.step))
            value: float = domain.bounds[end] + (steps if end else -steps) * domain.step
        else:
            value = float(f"{beyond:.2g}")
        if (low <= value <= high) or (low >= 0 > value):
            continue
        wider = domain.model_copy(update={"bounds": (low, value) if end else (value, high)})
        try:
            type(domain).model_validate(wider.model_dump(by_alias=True))
            check_space(space.model_copy(update={"search": {**space.search, name: wider}}))
        except (UserError, ValueError):  # such as a log range that would start at 0
            continue
        return wider
    return None
