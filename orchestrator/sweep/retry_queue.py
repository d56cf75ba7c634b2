"""Work that gangs take: what waits, which gang holds what, and how often it was tried. Plain state, no messages."""

from collections import Counter, deque

MAX_ATTEMPTS = 3  # of work whose gang died under it


class RetryQueue:
    """Named work in order. Where a gang dies its work comes first again, until it was tried MAX_ATTEMPTS times."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._holders: dict[str, int] = {}
        self._attempts: Counter[str] = Counter()
        self._complaints: dict[str, str] = {}  # the first of each attempt: it is closest to the cause

    def __bool__(self) -> bool:
        """Whether any waits for a gang."""
        return bool(self._waiting)

    @property
    def held(self) -> int:
        """How many gangs work on."""
        return len(self._holders)

    @property
    def pending(self) -> int:
        """How many wait or are held."""
        return len(self._waiting) + self.held

    def add(self, name: str) -> None:
        """Queue it, last in line."""
        self._waiting.append(name)

    def take_back(self, name: str) -> bool:
        """Leave it undone where it waits; whether it did."""
        if name not in self._waiting:
            return False
        self._waiting.remove(name)
        return True

    def take(self, gang: int) -> tuple[str, int]:
        """The next for `gang`, and the number of this attempt, from 1; there must be one waiting."""
        name = self._waiting.popleft()
        self._holders[name] = gang
        self._attempts[name] += 1
        self._complaints.pop(name, None)
        return name, self._attempts[name]

    def held_by(self, gang: int) -> list[str]:
        """What `gang` works on."""
        return [name for name, holder in self._holders.items() if holder == gang]

    def complain(self, name: str, detail: str) -> None:
        """Remember a rank's error, before its gang restarts."""
        self._complaints.setdefault(name, detail)

    def retry(self, name: str) -> str | None:
        """Its gang has died: queue it again, first in line, or say why it is given up."""
        attempts = self._attempts[name]
        if attempts < MAX_ATTEMPTS:
            del self._holders[name]
            self._waiting.appendleft(name)
            return None
        self.finish(name)
        last = f", last: {self._complaints[name]}" if name in self._complaints else ""
        return f"its workers died {attempts} times{last}"

    def finish(self, name: str) -> bool:
        """Its gang is done with it. Whether one held it: not where that gang was taken for dead before."""
        return self._holders.pop(name, None) is not None
