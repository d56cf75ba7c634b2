"""Sinks: they keep or show what happens to a sweep's trials."""

from abc import ABC, abstractmethod

from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from trainers.run_report import EpochReport


class Sink(ABC):
    """Something that keeps or shows what happens. Called from the recorder's thread alone."""

    @abstractmethod
    def started(self, trial: TrialRecord) -> None:
        """A gang took the trial, for the first time or again."""

    @abstractmethod
    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """The trial finished an epoch."""

    @abstractmethod
    def ended(self, trial: TrialRecord) -> None:
        """The trial is over."""

    @abstractmethod
    def confirmed(self, trial: TrialRecord) -> None:
        """The trial, which is over, was measured again."""


class StoreSink(Sink):
    """Keeps everything in the sweep's directory."""

    def __init__(self, store: ResultsStore) -> None:
        self._store = store

    def started(self, trial: TrialRecord) -> None:
        """Write its config and first record."""
        if trial.config is not None:
            self._store.write_config(trial.trial_id, trial.config)
        self._store.write_trial(trial)

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Append the epoch."""
        self._store.append_history(trial, report)
        self._store.write_trial(trial)

    def ended(self, trial: TrialRecord) -> None:
        """Write its last record; delete ``latest.pt`` and ``previous.pt``, which only a resume needs."""
        self._store.write_trial(trial)
        for name in ("latest.pt", "previous.pt"):
            (self._store.trials_dir / trial.trial_id / name).unlink(missing_ok=True)

    def confirmed(self, trial: TrialRecord) -> None:
        """Write its record with the values."""
        self._store.write_trial(trial)
