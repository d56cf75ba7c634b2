"""Why trials and sweeps end, and the states that follow from it.

A trial's verdict is one word: how its run ended by itself (`RunEnd`), why it was stopped (`StopReason`), what failed
(`Failure`), or the name of the rule that ended it.
"""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.pruning import HOPELESS, RULES, Trip
from trainers.run_report import RunEnd, RunOutcome


class StopReason(StrEnum):
    """Why a trial is stopped, or never started, without having failed."""

    OUTRANKED = "outranked"  # the scheduler preferred others
    OUT_OF_TIME = "out_of_time"  # the sweep's time budget ended
    OUT_OF_GPU_HOURS = "out_of_gpu_hours"  # the sweep's budget of GPU hours ended
    OUT_OF_MONEY = "out_of_money"  # the sweep has cost what it may
    TARGET_REACHED = "target_reached"  # a trial of the sweep, this one or another, reached the target
    INTERRUPTED = "interrupted"  # Ctrl-C, or the driver died
    SWEEP_FAILED = "sweep_failed"  # the sweep could not go on
    STOPPED_BY_USER = "stopped_by_user"  # this trial alone: `gan-sweep trial stop`


class Failure(StrEnum):
    """What kept a trial from ending by itself."""

    ERROR = "error"  # the trial could not be run
    LOST = "lost"  # its workers failed or died more often than it may be retried


class SweepStatus(StrEnum):
    """How a sweep stands, and how it ended."""

    RUNNING = "running"
    FINISHED = "finished"
    TARGET_REACHED = "target_reached"
    OUT_OF_TIME = "out_of_time"
    OUT_OF_GPU_HOURS = "out_of_gpu_hours"
    OUT_OF_MONEY = "out_of_money"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def trials_end_as(self) -> StopReason:
        """The verdict of trials that the end of the sweep cuts short."""
        return _CUT_SHORT[self]


_CUT_SHORT: dict[SweepStatus, StopReason] = {
    SweepStatus.FINISHED: StopReason.OUTRANKED,  # a trial that is still open then was cut by the scheduler
    SweepStatus.TARGET_REACHED: StopReason.TARGET_REACHED,
    SweepStatus.OUT_OF_TIME: StopReason.OUT_OF_TIME,
    SweepStatus.OUT_OF_GPU_HOURS: StopReason.OUT_OF_GPU_HOURS,
    SweepStatus.OUT_OF_MONEY: StopReason.OUT_OF_MONEY,
    SweepStatus.INTERRUPTED: StopReason.INTERRUPTED,
    SweepStatus.FAILED: StopReason.SWEEP_FAILED,
}


class State(StrEnum):
    """The state of a trial."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"  # it waits at a rung of the scheduler, and goes on when it is among the best there
    COMPLETED = "COMPLETED"
    PRUNED = "PRUNED"  # the scheduler, the user, or a rule that saw no hope, ended it
    STOPPED = (
        "STOPPED"  # the end of the sweep cut it short: a budget, a reached target, Ctrl-C; a resume goes on with it
    )
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """How a trial ended.

    Attributes:
        verdict: why, in one word.
        epochs: the last epoch that was trained.
        objective: lowest FID inside the window whose fakes vary, None without one.
        best_epoch: the epoch it was measured at.
        detail: a sentence for people, empty where the verdict says it all.
    """

    verdict: str
    epochs: int
    objective: float | None = None
    best_epoch: int | None = None
    detail: str = ""

    @property
    def state(self) -> State:
        """The trial's state."""
        return state_of(self.verdict, self.objective)


def outcome_of(run: RunOutcome, trip: Trip | None, reason: StopReason | Failure | None) -> TrialOutcome:
    """The outcome of a trial whose training run has ended.

    Args:
        run: how it ended.
        trip: a rule's finding at the last report; it gives the verdict unless the run was complete.
        reason: why the trial was stopped, None where it was not.
    """
    verdict, detail = str(run.end), run.detail
    if trip is not None and run.end is not RunEnd.COMPLETED:
        verdict, detail = trip.verdict, trip.sentence
    elif run.end is RunEnd.STOPPED:
        assert reason is not None, "a run stops for a rule or for a reason"
        verdict = str(reason)
    return TrialOutcome(
        verdict=verdict, epochs=run.epochs, objective=run.objective, best_epoch=run.best_epoch, detail=detail
    )


def is_rule(verdict: str | None) -> bool:
    """Whether a verdict is the name of a rule that ended a trial which could have gone on."""
    return verdict in RULES and verdict != RunEnd.NONFINITE


def state_of(verdict: str, objective: float | None) -> State:
    """The state of a trial that ended with `verdict`.

    A trial that has an objective keeps it, whatever ended it: it is COMPLETED where a rule ended it (it peaked, then
    collapsed) and where its workers died. Without an objective it FAILED, or was PRUNED where a rule only saw no hope.
    """
    if verdict in (StopReason.OUTRANKED, StopReason.STOPPED_BY_USER):
        return State.PRUNED
    if verdict in set(StopReason):
        return State.STOPPED
    if verdict == RunEnd.COMPLETED or objective is not None:
        return State.COMPLETED
    return State.PRUNED if verdict in HOPELESS else State.FAILED
