"""Sinks: they show or pass on what happens to a sweep, as a `Follower` reads it."""

from orchestrator.results.records import TrialRecord
from orchestrator.results.state import SweepState
from trainers.run_report import EpochReport


class Sink:
    """Something that shows or passes on what happens; every method does nothing until it is overridden."""

    def opened(self, state: SweepState) -> None:
        """A driver runs the sweep from now on."""

    def resized(self, state: SweepState, gang: int) -> None:
        """A gang is up, with as many ranks as its `sizes` say."""

    def started(self, trial: TrialRecord) -> None:
        """A gang took the trial, for the first time or again."""

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """The trial finished an epoch."""

    def interrupted(self, trial: TrialRecord, why: str) -> None:
        """The trial's gang has died or left it, `why` in a few words: it waits for a gang again."""

    def paused(self, trial: TrialRecord) -> None:
        """The trial waits at a rung of the scheduler."""

    def exploited(self, trial: TrialRecord) -> None:
        """The trial goes on as a copy of another: the last of its `exploits`."""

    def ended(self, trial: TrialRecord) -> None:
        """The trial is over, or its sweep's end has cut it short."""

    def confirmed(self, trial: TrialRecord) -> None:
        """The trial, which is over, was measured again."""

    def closed(self, state: SweepState) -> None:
        """The sweep's driver has ended, or has died."""
