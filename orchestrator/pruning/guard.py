"""The guard: rules at work inside a gang, on the trial that it trains."""

from collections.abc import Callable, Sequence

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Rule, Trip
from trainers.run_report import EpochReport


class Guard:
    """Shows every report of one trial to the rules.

    Args:
        rules: in the order in which they are judged.
        epochs: that the trial is planned to run.
        past: gives the trial's earlier reports; asked once, when its first report here is not its first epoch, because
            the gang before this one has died.

    Attributes:
        trip: what ended the trial, None while nothing has.
    """

    def __init__(self, rules: Sequence[Rule], epochs: int, past: Callable[[], Sequence[EpochReport]]) -> None:
        self.trip: Trip | None = None
        self._rules, self._past = rules, past
        self._history = History(epochs)

    def see(self, report: EpochReport) -> Trip | None:
        """Take a report in; what the first rule that trips has found."""
        if self._history.reports == 0 and report.epoch > 1:
            for earlier in self._past():
                if earlier.epoch < report.epoch:
                    self._append(earlier)
        self._append(report)
        trips = (rule.trip(self._history) for rule in self._rules)
        self.trip = next((trip for trip in trips if trip is not None), None)
        return self.trip

    def _append(self, report: EpochReport) -> None:
        newest = report.measurement
        if newest is None:
            self._history.append(report.epoch, report.logged)
        else:
            self._history.append(report.epoch, report.logged, newest.fid, newest.name)
