"""A sweep and the earlier ones that it was warm-started from: their FIDs compare, so one best trial can be named."""

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
    """The sweep itself, then the one that it was warm-started from, and so on."""
    seen: set[Path] = set()
    current: ResultsStore | None = store
    while current is not None and current.directory not in seen:
        yield current
        seen.add(current.directory)
        earlier = current.read_plan().warm_start
        current = look_up_sweep(earlier, current.directory.parent) if earlier is not None else None
