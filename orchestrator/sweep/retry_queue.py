"""Work that gangs take: what waits, which gang holds what, and how often it was tried. Plain state, no messages."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

MAX_ATTEMPTS = 3  # in a row that make no progress before the gang dies
MAX_EXCUSED = 2 * MAX_ATTEMPTS  # further ones in a row, where something else seems to be the cause


class RetryQueue:
    """Named items of work in order. When a gang dies, its item goes back to the front.

    MAX_ATTEMPTS limits that. An attempt that made progress does not count, nor do those before it: whatever kills gangs
    again and again, such as a cloud that takes its machines back, costs no item that gets on in between.

    Args:
        waiting: items that wait at first, in order.
        holders: items that gangs hold at first.
        attempts: how often these were tried in a row without progress.
    """

    def __init__(
        self,
        waiting: Iterable[str] = (),
        holders: Mapping[str, int] | None = None,
        attempts: Mapping[str, int] | None = None,
    ) -> None:
        self._waiting = deque(waiting)
        self._holders = dict(holders or {})
        self._attempts = Counter(attempts or {})
        self._excused: Counter[str] = Counter()  # attempts in a row that did not count
        self._blameless: set[str] = set()  # whose current attempt does not count
        self._work: Counter[int] = Counter()  # of each gang: progress that was kept, and items that were finished
        self._complaints: dict[str, str] = {}  # the first of each attempt: it is closest to the cause

    def __bool__(self) -> bool:
        """Whether any item waits for a gang."""
        return bool(self._waiting)

    def __contains__(self, name: str) -> bool:
        """Whether an item waits or is held."""
        return name in self._waiting or name in self._holders

    @property
    def held(self) -> int:
        """Number of items that gangs hold."""
        return len(self._holders)

    @property
    def gangs(self) -> set[int]:
        """The gangs that hold items."""
        return set(self._holders.values())

    @property
    def waiting(self) -> int:
        """Number of items that wait for a gang."""
        return len(self._waiting)

    @property
    def pending(self) -> int:
        """Number of items that wait or are held."""
        return self.waiting + self.held

    def add(self, name: str, place: int | None = None) -> None:
        """Add an item: at the end, or where so many come before it."""
        self._waiting.insert(len(self._waiting) if place is None else place, name)

    def take_back(self, name: str) -> bool:
        """Remove an item that still waits; returns whether it did."""
        if name not in self._waiting:
            return False
        self._waiting.remove(name)
        return True

    def first(self) -> tuple[str, int]:
        """The first waiting item, and the attempt that its next one would be, from 1 (see MAX_ATTEMPTS)."""
        return self._waiting[0], self._attempts[self._waiting[0]] + 1

    def take(self, gang: int) -> tuple[str, int]:
        """Give the first waiting item to `gang`; returns its name and the attempt (see MAX_ATTEMPTS), from 1.

        An item must be waiting.
        """
        name = self._waiting.popleft()
        self._holders[name] = gang
        self._attempts[name] += 1
        self._complaints.pop(name, None)
        self._blameless.discard(name)
        return name, self._attempts[name]

    def attempts(self, name: str) -> int:
        """How often an item was tried in a row without progress."""
        return self._attempts[name]

    def held_by(self, gang: int) -> list[str]:
        """The items that `gang` holds."""
        return [name for name, holder in self._holders.items() if holder == gang]

    def holds(self, name: str) -> bool:
        """Whether a gang holds the item."""
        return name in self._holders

    def complain(self, name: str, detail: str, *, sure: bool = False) -> None:
        """Keep a rank's error, before its gang restarts: the first of each attempt, unless another is `sure`."""
        if sure:
            self._complaints[name] = detail
        self._complaints.setdefault(name, detail)

    def complaint(self, name: str) -> str | None:
        """What was kept of the current attempt."""
        return self._complaints.get(name)

    def excuse(self, name: str) -> None:
        """The current attempt does not count, where it ends now: up to MAX_EXCUSED in a row."""
        self._blameless.add(name)

    def progressed(self, name: str) -> None:
        """The current attempt has made progress that is kept: it does not count, nor do those before it."""
        self._attempts[name] = self._excused[name] = 0
        if name in self._holders:
            self._work[self._holders[name]] += 1

    def work(self, gang: int) -> int:
        """How often `gang` has made progress that is kept, or finished an item."""
        return self._work[gang]

    def given_up(self, name: str, *, counts: bool = True) -> str | None:
        """After its gang has died: why an item is not tried again, None where it is.

        Args:
            name: an item that a gang holds.
            counts: whether the attempt counts, unless it is excused.
        """
        if counts and name in self._blameless and self._excused[name] < MAX_EXCUSED:
            self._excused[name] += 1
            counts = False
        if not counts:
            self._attempts[name] = max(0, self._attempts[name] - 1)
        attempts = self._attempts[name]
        if attempts < MAX_ATTEMPTS:
            return None
        last = f", last: {self._complaints[name]}" if name in self._complaints else ""
        attempts += self._excused[name]
        return f"its workers died {attempts} times in a row without progress{last}"

    def put_back(self, name: str) -> None:
        """After its gang has died: queue an item again, at the front."""
        del self._holders[name]
        self._waiting.appendleft(name)

    def finish(self, name: str) -> bool:
        """Remove an item that its gang has finished; False when no gang holds it, since its gang was taken for dead."""
        gang = self._holders.pop(name, None)
        if gang is not None:
            self._work[gang] += 1
        return gang is not None
