"""Removes what a sweep does not need any longer."""

from orchestrator.results.records import TrialRecord
from orchestrator.results.sinks import Sink
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State


class Housekeeper(Sink):
    """Deletes ``latest.pt`` and ``previous.pt`` of trials that nobody goes on with.

    Args:
        store: of the sweep.
    """

    def __init__(self, store: ResultsStore) -> None:
        self._store = store

    def ended(self, trial: TrialRecord) -> None:
        """Delete them, unless the trial was cut short by its sweep's end: a later driver goes on with it."""
        if trial.state is not State.STOPPED:
            for name in ("latest.pt", "previous.pt"):
                (self._store.trials_dir / trial.trial_id / name).unlink(missing_ok=True)
