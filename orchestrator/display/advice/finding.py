"""One piece of advice, and what all kinds of it look at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.pruning import RULES
from orchestrator.results.records import TrialRecord, ranked
from orchestrator.results.repeats import searched
from orchestrator.space.domains import FloatRange, IntRange
from orchestrator.space.space import Space

LEVEL = 0.05  # how often chance may look like this, over all keys that are looked at


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A piece of advice.

    Attributes:
        about: ``edge``, ``window``, ``influence``, ``rule`` or ``leaders``.
        text: what the numbers say, what speaks for chance, and what to do.
        key: the searched key that it is about; None: it is about none alone.
    """

    about: str
    text: str
    key: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As ``gan-sweep results --json`` prints it."""
        return {"about": self.about, "key": self.key, "text": self.text}


@dataclass(frozen=True)
class Facts:
    """A sweep that is over.

    Attributes:
        space: what was searched.
        trials: those that were measured or ended by a rule, the best first.
    """

    space: Space
    trials: Sequence[TrialRecord]

    @property
    def leaders(self) -> list[TrialRecord]:
        """The trials that can win, the best first, those that break a constraint last."""
        return [trial for trial in self.trials if trial.can_win]

    def best(self, least: int, share: float) -> list[TrialRecord]:
        """The best share of all trials, and `least` at least; empty where one cannot win, or the next is as good."""
        count = max(least, math.ceil(share * len(self.trials)))
        few, following = list(self.trials[:count]), self.trials[count : count + 1]
        if len(few) < least or not all(trial.can_win and not trial.broken for trial in few):
            return []
        return [] if any(_merit(trial) == _merit(few[-1]) for trial in following) else few


def _merit(trial: TrialRecord) -> tuple[float | None, ...]:
    return trial.seeds.mean, trial.objective_mean, trial.objective


def facts_of(trials: Sequence[TrialRecord], space: Space) -> Facts:
    """Of the trials of a search, without repeats; those that were lost or never measured say nothing."""
    told = [
        trial for trial in searched(trials) if trial.lowest_fid is not None or trial.can_win or trial.verdict in RULES
    ]
    return Facts(space, ranked(told))


def chance_text(chance: float) -> str:
    """``1.3% of cases``."""
    return "less than 0.1% of cases" if chance < 0.001 else f"{chance:.1%} of cases"


def position(domain: FloatRange | IntRange, value: float) -> float:
    """Where a value lies in a range, in the range's own scale: 0 at its low end, 1 at its high end."""
    low, high, at = (math.log(one) if domain.log else one for one in (*domain.bounds, value))
    return (at - low) / (high - low)


def at_position(domain: FloatRange | IntRange, place: float) -> float:
    """The value at a position, which may lie outside of the range."""
    low, high = (math.log(one) if domain.log else one for one in domain.bounds)
    at = low + place * (high - low)
    return math.exp(at) if domain.log else at
