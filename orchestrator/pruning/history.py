"""A trial's metrics and FIDs so far, as the rules see them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainers.loss_scale import UNNAMED, LossScale

FEWEST_MEASUREMENTS = 3  # that show a trend: a single FID may be noise


@dataclass(frozen=True)
class FidPoint:
    """A FID measurement: its report's number (from 1), its step (epoch, or a log's own count) and its value."""

    report: int
    step: int
    fid: float


class History:
    """The reports of a run, in order. One report is one epoch, or one row of a recorded log.

    Args:
        total: number of reports of the whole run, when nothing ends it early.
        unit: what reports are called, ``epochs`` or ``rows``.
        mark: what a step is called, ``epoch`` or ``step``.
        scale: what values of ``d_loss`` and ``g_loss`` mean; by default those of a log that does not name its loss.

    Attributes:
        steps: the step of each report: the epoch, or a log's own count.
        metrics: by name, one value per report; None where a report lacks it.
        fids: the finite FIDs of the protocol that was measured last: values of different protocols do not compare.
    """

    def __init__(self, total: int, *, unit: str = "epochs", mark: str = "epoch", scale: LossScale = UNNAMED) -> None:
        self.total, self.unit, self.mark, self.scale = total, unit, mark, scale
        self.steps: list[int] = []
        self.metrics: dict[str, list[float | None]] = {}
        self.fids: list[FidPoint] = []
        self._protocol: str | None = None

    def append(
        self, step: int, metrics: Mapping[str, float], fid: float | None = None, protocol: str | None = None
    ) -> None:
        """Add a report.

        Args:
            step: the epoch.
            metrics: by name.
            fid: None where none was measured.
            protocol: name of the FID's metric; when it changes, `fids` start again.
        """
        for name in metrics.keys() - self.metrics.keys():
            self.metrics[name] = [None] * len(self.steps)
        self.steps.append(step)
        for name, values in self.metrics.items():
            values.append(metrics.get(name))
        if fid is not None and math.isfinite(fid):
            if protocol != self._protocol:
                self._protocol, self.fids = protocol, []
            self.fids.append(FidPoint(len(self.steps), step, fid))

    @property
    def reports(self) -> int:
        """Number of reports so far."""
        return len(self.steps)

    @property
    def just_measured(self) -> bool:
        """Whether the newest report has a FID."""
        return bool(self.fids) and self.fids[-1].report == self.reports

    def at_measurements(self, name: str) -> list[float]:
        """The finite values of a metric at the measurements, oldest first."""
        values = [self.metrics[name][point.report - 1] for point in self.fids] if name in self.metrics else []
        return [value for value in values if value is not None and math.isfinite(value)]

    def last(self, name: str) -> float | None:
        """A metric's value in the newest report; None where it has none."""
        values = self.metrics.get(name)
        return values[-1] if values else None

    def tail(self, name: str, window: int) -> list[float]:
        """The finite values of a metric in the last `window` reports, oldest first."""
        values = self.metrics.get(name, [])[-window:]
        return [value for value in values if value is not None and math.isfinite(value)]

    def span(self, length: float) -> int:
        """`length` as a number of reports: below 1 it is a share of the planned run, rounded up."""
        return math.ceil(length * self.total) if length < 1 else round(length)

    def left(self, point: FidPoint) -> float:
        """Share of the plan that is left after a measurement."""
        return max(0.0, 1 - point.report / self.total)

    def patience(self, length: float) -> int:
        """`length` as a number of reports; a share of the plan is longer by the share of the plan that is left.

        A run may stand still for long early in its plan and then find its best: with 0.35 one that had its best at a
        tenth of its plan is given up at 60% of it, one that had it in the middle at 90%.
        """
        return self.span(length) if length >= 1 else math.ceil(length * (2 * self.total - self.reports))

    def after(self, report: int) -> list[FidPoint]:
        """The measurements after the report of that number."""
        return [point for point in self.fids if point.report > report]

    def stalled(self, improvement: float, *, untrained: int = 0) -> list[FidPoint]:
        """The measurements since FID last improved, that is, fell by more than the share `improvement`.

        Those of the first `untrained` reports do not count: see `Rule.untrained`.
        """
        points, reference, since = self.after(untrained), math.inf, 0
        for place, point in enumerate(points):
            if point.fid < reference * (1 - improvement):
                reference, since = point.fid, place + 1
        return points[since:]

    def lasting(self, points: Sequence[FidPoint], patience: float) -> bool:
        """Whether these latest measurements are at least three and span `patience`, counted from the one before."""
        if len(points) < FEWEST_MEASUREMENTS:
            return False
        before = len(self.fids) - len(points) - 1
        return self.reports - (self.fids[before].report if before >= 0 else 0) >= self.span(patience)

    def describe_fid(self, points: Sequence[FidPoint], *, untrained: int = 0) -> str:
        """How FID went over these latest measurements, for people; `untrained` as in `stalled`."""
        best, newest = lowest(self.after(untrained)), self.fids[-1]
        assert best is not None
        if newest.fid > best.fid * 1.02:
            return f"FID rose from {best.fid:.4g} to {newest.fid:.4g}"
        return f"FID stayed at {newest.fid:.4g} for {len(points)} measurements"


def lowest(points: Sequence[FidPoint]) -> FidPoint | None:
    """The first of the measurements with the lowest FID; None without any."""
    return min(points, key=lambda point: point.fid, default=None)
