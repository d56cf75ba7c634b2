"""A trial's numbers so far, as rules see them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """A FID: at which report (from 1), at which step (epoch, or a log's own count), and its value."""

    report: int
    step: int
    fid: float


class History:
    """Reports in order. One report is one epoch; of a recorded log, one row.

    Args:
        total: reports that the run gives when nothing ends it.

    Attributes:
        steps: of each report: the epoch, or a log's own count.
        metrics: by name, one value per report; None where a report lacks it.
        rungs: the finite FIDs of the protocol that was measured last: values of different protocols do not compare.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.steps: list[int] = []
        self.metrics: dict[str, list[float | None]] = {}
        self.rungs: list[Rung] = []
        self._protocol: str | None = None

    def append(
        self, step: int, metrics: Mapping[str, float], fid: float | None = None, protocol: str | None = None
    ) -> None:
        """Take in a report.

        Args:
            step: the epoch.
            metrics: by name.
            fid: where one was measured.
            protocol: the name of its metric; a new one starts the comparison of FIDs anew.
        """
        for name in metrics.keys() - self.metrics.keys():
            self.metrics[name] = [None] * len(self.steps)
        self.steps.append(step)
        for name, values in self.metrics.items():
            values.append(metrics.get(name))
        if fid is not None and math.isfinite(fid):
            if protocol != self._protocol:
                self._protocol, self.rungs = protocol, []
            self.rungs.append(Rung(len(self.steps), step, fid))

    @property
    def reports(self) -> int:
        """How many so far."""
        return len(self.steps)

    @property
    def at_rung(self) -> bool:
        """Whether the newest report has a FID."""
        return bool(self.rungs) and self.rungs[-1].report == self.reports

    @property
    def best(self) -> Rung | None:
        """The lowest FID."""
        return min(self.rungs, key=lambda rung: rung.fid, default=None)

    def last(self, name: str) -> float | None:
        """The newest report's value; None where it has none."""
        values = self.metrics.get(name)
        return values[-1] if values else None

    def tail(self, name: str, window: int) -> list[float]:
        """The finite values of the last `window` reports, oldest first."""
        values = self.metrics.get(name, [])[-window:]
        return [value for value in values if value is not None and math.isfinite(value)]

    def span(self, length: float) -> int:
        """Reports in `length`: below 1 a share of the planned run, else reports."""
        return math.ceil(length * self.total) if length < 1 else round(length)

    def stalled(self, improvement: float) -> int:
        """Rungs since FID last fell at least `improvement` (a share) below the lowest before it; 0 at such a rung."""
        reference, since = math.inf, 0
        for rung in self.rungs:
            since += 1
            if rung.fid < reference * (1 - improvement):
                reference, since = rung.fid, 0
        return since
