"""Replays rules over recorded runs: where each would have stopped a run, what that saves and what it costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.pruning import History, Rule, Trip
from orchestrator.replay.recorded import RecordedRun

COLLAPSED = 1.10  # a run whose final FID is above this times its best has collapsed
HARM = 0.05  # a healthy run that loses more than this share of its best FID was harmed


@dataclass(frozen=True)
class Firing:
    """A rule's first trip in a run: the step of the report, the report's number, and what it saw."""

    step: int
    report: int
    trip: Trip


@dataclass(frozen=True)
class Replayed:
    """What the rules would have done to a run.

    Attributes:
        run: the run.
        firings: by rule, where it alone would have stopped the run.
    """

    run: RecordedRun
    firings: dict[str, Firing]

    @property
    def stop(self) -> Firing | None:
        """The first firing; of several at the same report, the first in the rules' order."""
        return min(self.firings.values(), key=lambda firing: firing.report, default=None)

    @property
    def best_kept(self) -> float:
        """Lowest FID of the window that was measured before the stop."""
        return self.run.best(self.stop.step if self.stop else None)

    @property
    def regret(self) -> float:
        """By what share the best FID kept is above the best of the whole run; infinite when none was kept."""
        best, kept = self.run.best(), self.best_kept
        if math.isnan(best):
            return 0.0
        return math.inf if math.isnan(kept) else kept / best - 1 if best > 0 else kept - best

    @property
    def saved(self) -> float:
        """Share of the recorded steps that would not have been run."""
        return self.saved_at(self.stop)

    @property
    def collapsed(self) -> bool:
        """Whether the run ended more than 10% above its best FID."""
        return self.run.final() > COLLAPSED * self.run.best()

    @property
    def oracle(self) -> float:
        """Share of the steps after the best FID: what a stop right there would save."""
        at = self.run.best_step
        return 0.0 if at is None else self.run.left_at(at)

    def saved_at(self, firing: Firing | None) -> float:
        """Share of the steps after a firing."""
        return 0.0 if firing is None else self.run.left_at(firing.step)


def replay_run(run: RecordedRun, rules: Sequence[Rule]) -> Replayed:
    """Show a run's reports to the rules, one after the other, as the gang would."""
    history = History(run.total, unit=run.unit, mark=run.mark, scale=run.scale)
    firings: dict[str, Firing] = {}
    waiting = list(rules)
    for number, report in enumerate(run.reports, start=1):
        history.append(report.step, report.metrics, report.fid, report.protocol)
        if run.behind + number == run.total:
            break  # at its last report a trial is over anyway
        for rule in [*waiting]:
            if (trip := rule.trip(history)) is not None:
                firings[rule.name] = Firing(report.step, number, trip)
                waiting.remove(rule)
    ordered = {rule.name: firings[rule.name] for rule in rules if rule.name in firings}
    return Replayed(run, ordered)


@dataclass(frozen=True)
class Total:
    """Totals over all runs.

    Attributes:
        runs: how many.
        stopped: how many a rule would have stopped.
        collapsed: how many ended more than 10% above their best FID.
        saved: mean share of steps saved.
        saved_on_collapsed: mean share over the collapsed ones; NaN without any.
        oracle_on_collapsed: what stops right at the best FID would save on those; NaN without any.
        mean_regret: mean of the runs' regrets.
        worst_regret: the largest.
        harmed: healthy runs that lost more than 5% of their best FID.
    """

    runs: int
    stopped: int
    collapsed: int
    saved: float
    saved_on_collapsed: float
    oracle_on_collapsed: float
    mean_regret: float
    worst_regret: float
    harmed: tuple[str, ...]


def total(replayed: Sequence[Replayed]) -> Total:
    """The totals over `replayed`."""
    collapsed = [one for one in replayed if one.collapsed]
    regrets = [one.regret for one in replayed]
    return Total(
        runs=len(replayed),
        stopped=sum(one.stop is not None for one in replayed),
        collapsed=len(collapsed),
        saved=_mean([one.saved for one in replayed]),
        saved_on_collapsed=_mean([one.saved for one in collapsed]),
        oracle_on_collapsed=_mean([one.oracle for one in collapsed]),
        mean_regret=_mean(regrets),
        worst_regret=max(regrets, default=math.nan),
        harmed=tuple(one.run.name for one in replayed if not one.collapsed and one.regret > HARM),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
