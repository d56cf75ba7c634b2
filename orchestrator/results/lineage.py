"""A sweep and the earlier ones that it was warm-started from: their FIDs compare, so one best trial can be named."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.store import ResultsStore, look_up_sweep


def best_of_lineage(store: ResultsStore) -> tuple[ResultsStore, TrialRecord] | None:
    """The best trial of a sweep and of all that it builds on, with its sweep; None where none has an objective.

    An earlier sweep whose directory is gone is left out.
    """
    trials = [(one, trial) for one in lineage(store) for trial in one.read_trials()]
    best = best_trial([trial for _, trial in trials])
    return next(((one, trial) for one, trial in trials if trial is best), None)


def lineage(store: ResultsStore) -> Iterator[ResultsStore]:
    """The sweep itself, then those that it was warm-started from, then those that these were, and so on: each once."""
    seen: set[Path] = set()
    waiting = deque([store])
    while waiting:
        current = waiting.popleft()
        if current.directory in seen:
            continue
        yield current
        seen.add(current.directory)
        earlier = (look_up_sweep(one, current.directory.parent) for one in current.read_plan().warm_start)
        waiting.extend(one for one in earlier if one is not None)
