"""Settings that gangs train again, at the end of a sweep. A part of the broker."""

from collections.abc import Iterable

from orchestrator.results.repeats import is_repeat, trained
from orchestrator.results.state import SweepState
from orchestrator.sweep.confirm_queue import ConfirmQueue
from orchestrator.sweep.retry_queue import RetryQueue


class Repeating:
    """Repeats wait until a driver asks for them: what an earlier one has left rests, and no end of the search stops it.

    Args:
        state: the broker's.
        queue: of trials.
        confirmations: of trials that are measured again.
    """

    def __init__(self, state: SweepState, queue: RetryQueue, confirmations: ConfirmQueue) -> None:
        self._state, self._queue, self._confirmations = state, queue, confirmations

    def queue(self, names: Iterable[str], seeds: int) -> None:
        """Queue repeats that are not over, and to be measured on `seeds` sets of latents those that were trained."""
        over = []
        for name in names:
            record = self._state.trials.get(name)
            if record is not None and not record.open:
                over += [name] if trained(record) else []
            elif name not in self._queue and (record is not None or name in self._state.waiting):
                self._queue.add(name)
        self._confirmations.ask(over, seeds)

    @property
    def left(self) -> int:
        """How many wait or are held, for training or measuring."""
        return self._queue.pending + self._confirmations.pending

    def rests(self, name: str) -> bool:
        """Whether it is a repeat that no driver has asked for since this broker was started."""
        return is_repeat(name) and name not in self._queue

    @property
    def is_next(self) -> bool:
        """Whether the first trial that waits is a repeat."""
        return bool(self._queue) and is_repeat(self._queue.first()[0])
