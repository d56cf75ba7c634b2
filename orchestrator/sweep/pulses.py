"""Which gangs hang or are gone, by the pulses of their ranks. Plain state of the broker, no messages."""

from collections import Counter
from collections.abc import Callable, Iterable

from orchestrator.sweep.messages import Rank

SHORTEST_S = 300.0  # a gang with work may be silent this long, however short its epochs are
EPOCHS = 10  # and this many times as long as the longest epoch of the sweep
GONE_S = 60.0  # a gang whose ranks have died is back before, unless there is no room for it


class Pulses:
    """When each gang last got on.

    One rank that gets on is enough: others wait for it, as when it decodes the images for all. Where a rank hangs, the
    others soon wait for it in a collective, and the whole gang is silent.

    Args:
        clock: seconds that only grow.
        longest: seconds of the sweep's longest epoch so far.
    """

    def __init__(self, clock: Callable[[], float], longest: float = 0.0) -> None:
        self._clock = clock
        self._ranks: dict[int, dict[int, Rank]] = {}
        self._last: dict[int, float] = {}
        self._longest = longest
        self._gone: dict[int, float] = {}
        self._calls: Counter[int] = Counter()

    def died(self, gang: int) -> None:
        """Ranks of a gang have died, and the others will be ended too; what it still asks for is void."""
        self._gone.setdefault(gang, self._clock())
        self._calls[gang] += 1

    def called(self, gang: int) -> int:
        """A gang asks for work, so it is there. Returns which of its calls this is."""
        self._gone.pop(gang, None)
        self._calls[gang] += 1
        return self._calls[gang]

    def is_newest(self, gang: int, call: int) -> bool:
        """Whether a gang has not called again since, nor died: a call outlives the rank that made it."""
        return self._calls[gang] == call

    def gone(self) -> list[int]:
        """The gangs whose ranks died GONE_S ago or earlier, and that have not come back."""
        return [gang for gang, since in self._gone.items() if self._clock() - since >= GONE_S]

    def beat(self, rank: Rank) -> None:
        """A rank has got on, or has started."""
        self._ranks.setdefault(rank.gang, {})[rank.rank] = rank
        self.began(rank.gang)

    def began(self, gang: int) -> None:
        """A gang has got work, or was heard of otherwise."""
        self._last[gang] = self._clock()

    def took_over(self, up: Iterable[int], holders: Iterable[int]) -> None:
        """A new broker has heard of no rank yet: these gangs are up; of those that hold trials the others died."""
        for gang in up:
            self.began(gang)
        for gang in {*holders} - {*up}:
            self.died(gang)

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
        away = {gang for gang, since in self._gone.items() if self._last.get(gang, 0.0) <= since}  # no rank is up again
        return [gang for gang in sorted(working - away) if now - self._last.get(gang, now) > limit]
