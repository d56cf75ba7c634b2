"""Rounds of population-based training (Jaderberg et al. 2017, arXiv:1711.09846): who goes on, and who copies whom.

Nothing is kept here: everything follows from where the members have waited and from what they measured there. So a
driver that goes on with a sweep decides as the one before it did.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Member:
    """A trial of the population.

    Attributes:
        name: of the trial.
        over: whether it has ended for good.
        rests: the epochs at which it has waited, in order; where it heard late that it had to, one after the rung's.
        values: what it measured by epoch; lower is better.
    """

    name: str
    over: bool = False
    rests: Sequence[int] = ()
    values: Mapping[int, float] = field(default_factory=dict)


class Rounds:
    """Rung ``k`` lies at epoch ``k * apart``. A round is over when every member that trains waits at its rung.

    Args:
        apart: epochs between rungs.
        quantile: share of those that were at a rung that is replaced, and of that whose copies replace it.
    """

    def __init__(self, apart: int, quantile: float) -> None:
        self._apart, self._quantile = apart, quantile

    def round_of(self, epoch: int) -> int:
        """The round that a member is in that waits at `epoch`."""
        return epoch // self._apart

    def next(self, members: Sequence[Member], waiting: Collection[str]) -> str | None:
        """The member that goes on next: the least advanced one whose round is over; None where there is none."""
        ready = [member for member in members if member.name in waiting and member.rests]
        for member in sorted(ready, key=lambda one: (self.newest(one), one.name)):
            if all(one.over or self.newest(one) >= self.newest(member) for one in members):
                return member.name
        return None

    def better(self, members: Sequence[Member], name: str) -> list[tuple[str, int]]:
        """Of whom a member that waits becomes a copy: one of these, with the epochs at which they waited.

        Empty where it is not among the worst of its round; ties go by name. A member that joined late, and catches up
        with the others, is not compared: nobody has kept the checkpoints of rungs that long.
        """
        found = {member.name: member for member in members}
        now = self.newest(found[name])
        if any(self.newest(member) > now + 1 for member in members):
            return []
        at = {one.name: self._rest(one, now) for one in members}
        epoch = now * self._apart
        there = [one for one in members if at[one.name] is not None and epoch in one.values]
        ranked = [one.name for one in sorted(there, key=lambda one: (one.values[epoch], one.name))]
        count = min(math.ceil(len(ranked) * self._quantile), len(ranked) // 2)
        if not count or name not in ranked[-count:]:
            return []
        return [(one, rest) for one in ranked[:count] if (rest := at[one]) is not None]

    def newest(self, member: Member) -> int:
        """The last round in which a member has waited; 0 before the first."""
        return self.round_of(member.rests[-1]) if member.rests else 0

    def _rest(self, member: Member, number: int) -> int | None:
        """At which epoch a member waited in a round; None where it did not."""
        return next((rest for rest in reversed(member.rests) if self.round_of(rest) == number), None)
