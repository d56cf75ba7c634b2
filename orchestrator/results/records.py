"""Trials as people see them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.pruning import HOPELESS
from trainers.config import TrainConfig
from trainers.report import EpochReport, Outcome, Verdict


class State(StrEnum):
    """What became of a trial."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    PRUNED = "PRUNED"
    FAILED = "FAILED"


_STATES = {
    Verdict.COMPLETED: State.COMPLETED,
    Verdict.OUTRANKED: State.PRUNED,
    Verdict.OUT_OF_TIME: State.PRUNED,
    Verdict.INTERRUPTED: State.PRUNED,
    Verdict.ERROR: State.FAILED,
    Verdict.LOST: State.FAILED,
}


def state_of(verdict: str, objective: float | None) -> State:
    """What became of a trial that ended for `verdict`.

    A trial that a rule ended counts as COMPLETED when it was measured inside its window: it peaked, then collapsed.
    Otherwise it FAILED, or was PRUNED where the rule only saw no hope for it.
    """
    if verdict in _STATES:
        return _STATES[Verdict(verdict)]
    if objective is not None:
        return State.COMPLETED
    return State.PRUNED if verdict in HOPELESS else State.FAILED


@dataclass
class TrialRecord:
    """One trial, now.

    Attributes:
        trial_id: number of the trial in the sweep and in Optuna, four digits.
        params: its searched values.
        total_epochs: how many it would run.
        started: wall clock of its first lease, seconds since 1970.
        state: RUNNING until it ends.
        verdict: why it ended: a `Verdict`, or the name of the rule that ended it.
        objective: lowest FID inside the window so far.
        best_epoch: the epoch it was measured at.
        last_fid: the last FID that was measured.
        lowest_fid: lowest FID at any epoch, before the window too.
        epochs: epochs trained.
        seconds: from its first lease to its end.
        detail: a sentence on how it ended, where the verdict does not say it all.
        last: its newest epoch, in memory only.
        config: as it was resolved, in memory only; None when its values make none.
    """

    trial_id: str
    params: dict[str, Any]
    total_epochs: int
    started: float
    state: State = State.RUNNING
    verdict: str | None = None
    objective: float | None = None
    best_epoch: int | None = None
    last_fid: float | None = None
    lowest_fid: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    detail: str = ""
    last: EpochReport | None = field(default=None, repr=False)
    config: TrainConfig | None = field(default=None, repr=False)

    def progress(self, report: EpochReport) -> None:
        """Take an epoch in."""
        self.last, self.epochs = report, report.epoch
        self.objective, self.best_epoch = report.objective, report.best_epoch
        self.seconds = report.ended - self.started
        if report.fid is not None:
            self.last_fid = report.fid
            self.lowest_fid = report.fid if self.lowest_fid is None else min(report.fid, self.lowest_fid)

    def end(self, outcome: Outcome, now: float) -> None:
        """Take the end in."""
        self.verdict, self.detail = str(outcome.verdict), outcome.detail
        self.seconds = now - self.started
        if outcome.epochs:
            self.epochs, self.objective, self.best_epoch = outcome.epochs, outcome.objective, outcome.best_epoch
        self.state = state_of(self.verdict, self.objective)

    def to_json(self) -> dict[str, Any]:
        """As ``gan-sweep results --json`` prints it."""
        return {
            "trial_id": self.trial_id,
            "state": self.state.value,
            "verdict": self.verdict,
            "objective": self.objective,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "params": self.params,
            "total_epochs": self.total_epochs,
            "last_fid": self.last_fid,
            "lowest_fid": self.lowest_fid,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any], started: float = 0.0) -> "TrialRecord":
        """Undo `to_json`."""
        return cls(**{**values, "state": State(values["state"]), "started": started})


def best_trial(trials: list[TrialRecord]) -> TrialRecord | None:
    """The trial with the lowest objective; None when none was measured inside its window."""
    measured = [trial for trial in trials if trial.objective is not None and trial.state is not State.FAILED]
    return min(measured, key=lambda trial: (trial.objective, trial.trial_id), default=None)
