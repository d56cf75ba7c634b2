"""The guard: applies the rules inside a gang, to the trial that it trains."""

from collections.abc import Callable, Sequence

from orchestrator.pruning.history import History
from orchestrator.pruning.rule import Rule, Trip
from trainers.loss_scale import UNNAMED, LossScale
from trainers.run_report import EpochReport


class Guard:
    """Shows every report of one trial to the rules.

    Args:
        rules: in their order of evaluation.
        epochs: the trial's planned epochs.
        past: returns the trial's earlier reports. Called once, if the first report that this guard sees is not epoch 1:
            the trial was resumed after its gang had died.
        scale: what values of the trial's losses mean.

    Attributes:
        trip: the finding that ended the trial, None while there is none.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        epochs: int,
        past: Callable[[], Sequence[EpochReport]],
        scale: LossScale = UNNAMED,
    ) -> None:
        self.trip: Trip | None = None
        self._rules, self._past = rules, past
        self._history = History(epochs, scale=scale)

    def see(self, report: EpochReport) -> Trip | None:
        """Add a report and evaluate the rules; returns the finding of the first that trips, None where none does."""
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
