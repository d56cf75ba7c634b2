"""The finals: which trials are measured again by which gang, and how often that was tried. Plain state, no messages."""

from collections import Counter, deque
from collections.abc import Iterable

from orchestrator.sweep.messages import Remeasure

MAX_ATTEMPTS = 3  # of a measurement whose gang died under it


class Finals:
    """Measurements that wait, run, or were given up.

    Attributes:
        given_up: why, by trial; those stay unconfirmed.
    """

    def __init__(self) -> None:
        self.given_up: dict[str, str] = {}
        self._seeds = 0
        self._waiting: deque[str] = deque()
        self._held: dict[str, int] = {}  # by which gang
        self._attempts: Counter[str] = Counter()
        self._complaints: dict[str, str] = {}

    def open(self, trial_ids: Iterable[str], seeds: int) -> None:
        """Queue trials, each for `seeds` sets of latents."""
        self._seeds = seeds
        self._waiting.extend(trial_ids)

    @property
    def waiting(self) -> bool:
        """Whether there is one for a free gang."""
        return bool(self._waiting)

    @property
    def pending(self) -> int:
        """How many wait or run."""
        return len(self._waiting) + len(self._held)

    def take(self, gang: int) -> Remeasure:
        """The next for `gang`; there must be one waiting."""
        trial_id = self._waiting.popleft()
        self._held[trial_id] = gang
        self._attempts[trial_id] += 1
        return Remeasure(trial_id, self._seeds)

    def complain(self, trial_id: str, detail: str) -> None:
        """A rank's error, before its gang restarts; the first is closest to the cause."""
        self._complaints.setdefault(trial_id, detail)

    def give_back(self, gang: int) -> None:
        """`gang` has died: what it held is for the next one, unless that was tried often enough."""
        for trial_id in [held for held, by in self._held.items() if by == gang]:
            del self._held[trial_id]
            if self._attempts[trial_id] < MAX_ATTEMPTS:
                self._waiting.appendleft(trial_id)
            else:
                last_words = f", last: {self._complaints[trial_id]}" if trial_id in self._complaints else ""
                self.given_up[trial_id] = f"its workers died {self._attempts[trial_id]} times{last_words}"

    def finish(self, trial_id: str, failure: str = "") -> bool:
        """A gang is done with it. Whether that counts: not where it was done with or given up before."""
        if self._held.pop(trial_id, None) is None:
            return False
        if failure:
            self.given_up[trial_id] = failure
        return not failure
