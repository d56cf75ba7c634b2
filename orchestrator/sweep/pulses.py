"""Which gangs hang, by the pulses of their ranks. Plain state of the broker, no messages."""

from collections.abc import Callable

from orchestrator.sweep.messages import Rank

SHORTEST_S = 300.0  # a gang with work may be silent this long, however short its epochs are
EPOCHS = 10  # and this many times as long as the longest epoch of the sweep


class Pulses:
    """When each gang last got on.

    One rank that gets on is enough: others wait for it, as when it decodes the images for all. Where a rank hangs, the
    others soon wait for it in a collective, and the whole gang is silent.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ranks: dict[int, dict[int, Rank]] = {}
        self._last: dict[int, float] = {}
        self._longest = 0.0

    def beat(self, rank: Rank) -> None:
        """A rank has got on, or has started."""
        self._ranks.setdefault(rank.gang, {})[rank.rank] = rank
        self.began(rank.gang)

    def began(self, gang: int) -> None:
        """A gang has got work, or was heard of otherwise."""
        self._last[gang] = self._clock()

    def epoch(self, seconds: float) -> None:
        """An epoch, FID and checkpoint included, has taken so long."""
        self._longest = max(self._longest, seconds)

    def limit(self, given: float | None) -> float:
        """Seconds of silence after which a gang hangs.

        Args:
            given: by the user; None: by the sweep's epochs so far.
        """
        return max(SHORTEST_S, EPOCHS * self._longest) if given is None else given

    def ranks(self, gang: int) -> list[Rank]:
        """The ranks of a gang, as each was heard of last."""
        return list(self._ranks.get(gang, {}).values())

    def all_ranks(self) -> list[Rank]:
        """The ranks of all gangs."""
        return [rank for gang in self._ranks for rank in self.ranks(gang)]

    def hung(self, working: set[int], given: float | None) -> list[int]:
        """The gangs that hang.

        Args:
            working: gangs that have work; others have nothing to do, and no pulse.
            given: as in `limit`.
        """
        now, limit = self._clock(), self.limit(given)
        return [gang for gang in sorted(working) if now - self._last.get(gang, now) > limit]
