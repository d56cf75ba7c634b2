"""A rank tells people what its trial does at this moment: see `orchestrator.results.now`."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.results.now import Now, now_file, write_now
from orchestrator.sweep.beside import beside
from trainers.pulse import Doing, doing, enter_epoch

log = logging.getLogger(__name__)

LOOK_S = 1.0


@contextmanager
def telling(directory: Path, trial_id: str) -> Iterator[None]:
    """Keep ``now/ID.json`` up to date in the block; what cannot be written, as on a full disk, is left out.

    Args:
        directory: of the sweep.
        trial_id: the trial that this process trains.
    """
    enter_epoch(0)

    def run(stop: threading.Event) -> None:
        pace = Pace()
        while not stop.wait(LOOK_S):
            if (current := doing()) is not None:
                with _only_told(trial_id):
                    write_now(directory, trial_id, pace.now(current, time.time()))

    try:
        with beside("telling", run):
            yield
    finally:
        with _only_told(trial_id):
            now_file(directory, trial_id).unlink(missing_ok=True)


class Pace:
    """How fast the current piece of work gets on: from where it was first seen."""

    def __init__(self) -> None:
        self._first: tuple[Doing, float] | None = None

    def now(self, current: Doing, at: float) -> Now:
        """What is to be said of the work that `current` describes, seen `at` this wall clock."""
        if self._first is None or not _same_work(self._first[0], current):
            self._first = (current, at)
        first, since = self._first
        new, left = current.done - first.done, current.total - current.done
        return Now(
            what=current.what,
            share=current.done / current.total if current.total else 0.0,
            epoch=current.epoch,
            left_s=left * (at - since) / new if new > 0 and current.total else None,
            at=at,
        )


def _same_work(first: Doing, later: Doing) -> bool:
    return (first.what, first.epoch) == (later.what, later.epoch) and first.done <= later.done


@contextmanager
def _only_told(trial_id: str) -> Iterator[None]:
    """No trial ends because people cannot be told."""
    try:
        yield
    except OSError as error:
        log.debug("what trial %s does is not told: %s", trial_id, error)
