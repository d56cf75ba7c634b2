"""Records of trials, as they are stored and shown."""

import math
import statistics
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from orchestrator.results.exploits import Exploit
from orchestrator.results.repeats import (
    Seeds,
    best_run,
    by_seeds,
    is_repeat,
    keeping,
    seeds_of,
    seeds_place,
    setting_of,
)
from orchestrator.results.verdict import State, StopReason, TrialOutcome, is_rule, state_of
from orchestrator.space.constraints import limits_of
from trainers.metric_names import FID, lower_better, protocol_of, value_of
from trainers.run_report import EpochReport

TOTALS = (
    "last_fid",
    "last_fid_epoch",
    "last_fid_n",
    "lowest_fid",
    "fid_seconds",
    "epoch_seconds",
    "images_per_second",
    "checkpoint",
    "measured",
    "beside",
    "began",
)

# What is said of a FID that stands for a trial without an objective.
NOT_COUNTED = "does not count: before the window, or its fakes hardly vary"


@dataclass
class TrialRecord:
    """The current state of one trial.

    Attributes:
        trial_id: number of the trial in the sweep and in Optuna, four digits; of a repeat see `results.repeats`.
        params: its searched values.
        total_epochs: planned epochs.
        started: wall clock of its first lease, seconds since 1970.
        state: RUNNING, and PAUSED at times, until it ends.
        verdict: why it ended, in one word; see `orchestrator.results.verdict`.
        objective: best value of `measure`, by default the lowest FID, inside the window so far, of fakes that vary.
        best_epoch: the epoch it was measured at.
        n_fake: generated images of the objective's protocol; 0 if unknown.
        last_fid: the last FID that was measured.
        last_fid_epoch: the epoch it was measured at; the table carries it over to later epochs.
        last_fid_n: generated images that it was measured on.
        lowest_fid: lowest FID on `last_fid_n` images at any epoch, before the window too.
        fid_seconds: time spent on FID during training.
        epoch_seconds: time spent in epochs, FID included; 0 in logs of older versions.
        held: seconds for which a gang that was up had it; of a gang with fewer ranks than planned, its share of them.
        confirmed: the objective of the best checkpoint, measured again at the end of the sweep on fresh latents each.
        confirmed_beside: what was measured beside each of `confirmed`, by protocol.
        beside: what was measured beside FID at its best epoch, by protocol; FID too where that is not the objective.
        constraints: of its sweep: what the winner has to keep.
        measure: of its sweep: what the objective is, by its short name.
        refused: why it cannot win: what its best checkpoint showed on fresh latents; empty where it can.
        epochs: its newest epoch.
        began: the epoch of the checkpoint that it went on from (`gan-sweep extend`); 0 for a start.
        seconds: from its first lease to its newest epoch or its end, without the time in which its sweep had no driver,
            and in which it was paused.
        costs: values of the objectives besides the first, by name; known at its end.
        detail: a sentence on how it ended, where the verdict does not say it all.
        images_per_second: of its newest epoch, over all ranks.
        checkpoint: the epoch of its newest checkpoint; 0 for none.
        measured: epoch, FID, diversity and whether the fakes hardly vary (1) or not (0) of every measurement, in order:
            what a later driver's scheduler compares. None where the log of an older version does not say it.
        ended: wall clock of its end, in memory only; None while it is open.
        gang: number of the gang that trained it last, in memory only; None before its first lease.
        paused: it waits at a rung, or did when its sweep's end cut it short: another driver lets it wait again.
        rests: epochs at which it has waited at rungs.
        exploits: of whom it has become a copy, and with which settings, in order; `params` are those of its start.
        repeats: its setting, trained again with fresh training seeds.
    """

    trial_id: str
    params: dict[str, Any]
    total_epochs: int
    started: float
    state: State = State.RUNNING
    verdict: str | None = None
    objective: float | None = None
    best_epoch: int | None = None
    n_fake: int = 0
    last_fid: float | None = None
    last_fid_epoch: int | None = None
    last_fid_n: int | None = None
    lowest_fid: float | None = None
    fid_seconds: float = 0.0
    epoch_seconds: float = 0.0
    held: float = 0.0
    confirmed: list[float] = field(default_factory=list)
    confirmed_beside: list[dict[str, float]] = field(default_factory=list)
    beside: dict[str, float] = field(default_factory=dict)
    constraints: dict[str, str] = field(default_factory=dict)
    measure: str = FID
    refused: str = ""
    epochs: int = 0
    began: int = 0
    seconds: float = 0.0
    detail: str = ""
    costs: dict[str, float] = field(default_factory=dict)
    images_per_second: float | None = None
    checkpoint: int = 0
    measured: list[list[float | None]] | None = field(default_factory=list)
    ended: float | None = None
    gang: int | None = field(default=None, compare=False)
    paused: bool = False
    rests: list[int] = field(default_factory=list)
    exploits: list[Exploit] = field(default_factory=list)
    repeats: list["TrialRecord"] = field(default_factory=list, compare=False, repr=False)
    _reported: float = 0.0  # wall clock of the newest epoch's end
    _since: float | None = field(default=None, repr=False)  # when its time last began to count; infinity: not now
    _before: float = 0.0  # seconds until then

    def progress(self, report: EpochReport) -> None:
        """Add an epoch's report."""
        self._forget_older(report.best_epoch)
        if not self.epochs:
            self.began = report.epoch - 1
        self.epochs, self.checkpoint = report.epoch, report.checkpoint
        self.images_per_second = report.metrics.get("images_per_second")
        self.objective, self.best_epoch = report.objective, report.best_epoch
        self.seconds, self._reported = self.running_seconds(report.ended), report.ended
        self.fid_seconds += report.logged.get("fid_seconds", 0.0)
        self.epoch_seconds += max(0.0, report.ended - report.started)  # clocks are set back at times
        if (newest := report.measurement) is not None:
            lowest = self.lowest_fid if newest.n_fake == self.last_fid_n else None
            self.lowest_fid = newest.fid if lowest is None else min(newest.fid, lowest)
            self.last_fid, self.last_fid_epoch, self.last_fid_n = newest.fid, newest.epoch, newest.n_fake
            if newest.epoch == report.best_epoch:
                self.beside = dict(newest.others)
            if self.measured is not None:
                self.measured.append([newest.epoch, newest.fid, newest.diversity, int(newest.collapsed)])

    @property
    def number(self) -> int:
        """Its number in the sweep: as texts, 10000 would come before 1001. A repeat has that of its setting's trial."""
        return int(setting_of(self.trial_id))

    @property
    def exploit(self) -> Exploit | None:
        """The last of its `exploits`; None without."""
        return self.exploits[-1] if self.exploits else None

    @property
    def is_repeat(self) -> bool:
        """Whether it is the setting of another trial, trained again."""
        return is_repeat(self.trial_id)

    @property
    def seeds(self) -> Seeds:
        """What its setting has reached with fresh training seeds."""
        return seeds_of(self)

    def lower(self, value: float) -> float:
        """A value of its objective, as it is compared: lower is better."""
        return lower_better(self.measure, value)

    @property
    def open(self) -> bool:
        """Whether it has not ended: it runs, waits for a gang again, or is paused."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def over(self) -> bool:
        """Whether it has ended for good: not open, nor cut short by its sweep's end."""
        return not self.open and self.state is not State.STOPPED

    @property
    def trained(self) -> int:
        """How many epochs it has trained itself."""
        return max(0, self.epochs - self.began)

    @property
    def ended_early(self) -> bool:
        """Whether a rule or the user ended it without an objective: `gan-sweep extend` goes on from its end."""
        return self.objective is None and (self.verdict == StopReason.STOPPED_BY_USER or is_rule(self.verdict))

    @property
    def can_win(self) -> bool:
        """Whether it has an objective, whatever ended it, and its checkpoint was not refused; a repeat alone cannot."""
        return self.objective is not None and not self.refused and not self.is_repeat

    @property
    def stands_for_none(self) -> bool:
        """Whether its lowest FID is shown in place of an objective that it does not have; see `NOT_COUNTED`."""
        return self.objective is None and self.lowest_fid is not None and self.measure == FID

    @property
    def fid_share(self) -> float | None:
        """Share of the trial's seconds that went into FID; None where none was measured."""
        return self.fid_seconds / self.seconds if self.fid_seconds and self.seconds > 0 else None

    @property
    def diversity(self) -> float | None:
        """Of its fakes at its best epoch, as `trainers.run_report.Measurement` has it; None where it is not known."""
        found = [diversity for epoch, _, diversity, _ in self.measured or () if epoch == self.best_epoch]
        return found[-1] if found else None

    @property
    def objective_mean(self) -> float | None:
        """Mean of `confirmed`; unlike the objective it is no minimum, so it is not biased low."""
        return statistics.mean(self.confirmed) if self.confirmed else None

    @property
    def objective_spread(self) -> float | None:
        """Sample standard deviation of `confirmed`; None with fewer than two values."""
        return statistics.stdev(self.confirmed) if len(self.confirmed) > 1 else None

    @property
    def measured_beside(self) -> dict[str, list[float]]:
        """What was measured beside FID, by protocol: every value of `confirmed_beside`, else the one in training."""
        found = self.confirmed_beside or [self.beside]
        return {name: [one[name] for one in found if name in one] for name in found[0]}

    @property
    def confirmed_fids(self) -> list[float]:
        """FIDs of its best checkpoint, measured again, whatever its objective is."""
        if self.measure == FID:
            return self.confirmed
        return [fid for one in self.confirmed_beside if (fid := value_of(one, FID)) is not None]

    @property
    def fid(self) -> float | None:
        """FID at its best epoch, whatever its objective is; None without one."""
        return self.objective if self.measure == FID else value_of(self.beside, FID)

    @property
    def broken(self) -> list[str]:
        """The constraints that it does not keep, with the values that it has: ``recall >= 0.3 (0.12)``."""
        if not self.constraints:
            return []
        found, texts = self.measured_beside, []
        for limit in limits_of(self.constraints):
            values = found.get(protocol_of(found, limit.value) or "")
            mean = statistics.mean(values) if values else None
            if limit.violation(mean) > 0:
                texts.append(f"{limit} ({limit.beyond(mean)})")
        return texts

    def running_seconds(self, now: float) -> float:
        """Its `seconds` at the time `now`, while it is open."""
        since = self.started if self._since is None else self._since
        return self._before + max(0.0, now - since)

    def reopen(self) -> None:
        """Another driver goes on with it, though the end of its sweep had cut it short."""
        self.state = State.PAUSED if self.paused else State.RUNNING
        self.verdict, self.detail, self.ended = None, "", None
        self._before, self._since = self.seconds, math.inf

    def pause(self, now: float) -> None:
        """Its gang has left it; its time does not count until one takes it again."""
        self.seconds = self.running_seconds(now)
        self.state, self.paused = State.PAUSED, True
        self._before, self._since = self.seconds, math.inf

    def promote(self) -> None:
        """It goes on as soon as a gang takes it."""
        self.state, self.paused = State.RUNNING, False

    def go_on(self, now: float) -> None:
        """A gang has taken it."""
        self.promote()  # a log that a crash has cut may not say so
        if self._since == math.inf:
            self._since = now
            if self._reported > now:  # its epochs are read before the log
                self.seconds = self.running_seconds(self._reported)

    @property
    def totals(self) -> dict[str, Any]:
        """What its epochs add up to besides its outcome, for the log."""
        return {name: copy(getattr(self, name)) for name in TOTALS}

    def restore_totals(self, totals: dict[str, Any]) -> None:
        """Take the `totals` of the log."""
        for name in TOTALS:
            setattr(self, name, totals.get(name, getattr(self, name)))
        self.measured = totals.get("measured")

    def end(self, outcome: TrialOutcome, seconds: float) -> None:
        """Add the trial's end, `seconds` of running after its first lease."""
        self.verdict, self.detail, self.seconds = outcome.verdict, outcome.detail, seconds
        if outcome.epochs:
            self._forget_older(outcome.best_epoch)
            self.epochs, self.objective, self.best_epoch = outcome.epochs, outcome.objective, outcome.best_epoch
        self.state = state_of(outcome.verdict, self.objective)

    def _forget_older(self, best_epoch: int | None) -> None:
        """Forget new measurements of an older checkpoint, which were made before the sweep went on.

        One that waits may be measured again, and end afterwards: a log is read without its epochs, and then nothing but
        its end says of which epoch that was.
        """
        if self.best_epoch is not None and best_epoch != self.best_epoch:
            self.confirmed, self.confirmed_beside, self.refused = [], [], ""

    @property
    def objectives(self) -> dict[str, float | None]:
        """Its values of all objectives, in order."""
        return {self.measure: self.objective, **self.costs}

    def to_json(self) -> dict[str, Any]:
        """As ``gan-sweep results --json`` prints it."""
        seeds = self.seeds
        return {
            "trial_id": self.trial_id,
            "state": self.state.value,
            "verdict": self.verdict,
            "objective": self.objective,
            "objectives": self.objectives,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "params": self.params,
            "exploits": [one.to_json() for one in self.exploits],
            "total_epochs": self.total_epochs,
            "n_fake": self.n_fake,
            "last_fid": self.last_fid,
            "last_fid_epoch": self.last_fid_epoch,
            "last_fid_n": self.last_fid_n,
            "lowest_fid": self.lowest_fid,
            "fid_seconds": round(self.fid_seconds, 3),
            "epoch_seconds": round(self.epoch_seconds, 3),
            "images_per_second": self.images_per_second,
            "fid_share": None if self.fid_share is None else round(self.fid_share, 4),
            "confirmed": self.confirmed,
            "beside": self.beside,
            "confirmed_beside": self.confirmed_beside,
            "broken_constraints": self.broken if self.objective is not None else [],
            "refused": self.refused,
            "objective_mean": self.objective_mean,
            "objective_spread": self.objective_spread,
            "detail": self.detail,
            "repeat_of": setting_of(self.trial_id) if self.is_repeat else None,
            "seeds_mean": seeds.mean,
            "seeds_spread": seeds.spread,
            "seeds_n": len(seeds.values),
            "seeds_failed": seeds.failed,
        }


def lowest_objective(trials: list[TrialRecord]) -> float | None:
    """The best objective of trials that can win and keep the constraints, measured again or not; None without one.

    As it is compared: lower is better, so that of what is maximised the sign is turned.
    """
    found = [trial for trial in trials if trial.can_win and not trial.broken]
    return min((trial.lower(trial.objective) for trial in found if trial.objective is not None), default=None)


def best_trial(trials: list[TrialRecord]) -> TrialRecord | None:
    """The winner: the best mean of the trials that were measured again; where none was, the best objective.

    Whatever ended a trial, its objective counts, unless its checkpoint was refused. None when no trial has one. One
    that breaks a constraint wins only where every one does. Where settings were trained again, the best mean over
    their fresh seeds wins, and the winner is the run of that setting whose checkpoint was confirmed best: it may be a
    repeat.
    """
    measured = keeping([trial for trial in trials if trial.can_win])
    if repeated := by_seeds(measured):
        return best_run(repeated[0])
    confirmed = [trial for trial in measured if trial.confirmed]
    if confirmed:
        return min(confirmed, key=lambda trial: (trial.lower(trial.objective_mean or 0.0), trial.number))
    return min(measured, key=lambda trial: (trial.lower(trial.objective or 0.0), trial.number), default=None)


def ranked(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Best first, as `best_trial` compares: by the mean over training seeds, by confirmed mean, by objective, then by
    lowest FID.

    Behind these come those that break a constraint, then refused ones, and last repeats.
    """

    def place(trial: TrialRecord) -> tuple[int, float, int]:
        if trial.can_win and trial.seeds.values and not trial.broken:
            failed, mean, number = seeds_place(trial)
            return failed - 2, mean, number
        compared = [None if one is None else trial.lower(one) for one in (trial.objective_mean, trial.objective)]
        values = (*compared, trial.lowest_fid)
        kind = next((kind for kind, value in enumerate(values) if value is not None), len(values))
        last = 3 if trial.is_repeat else 2 if trial.refused else int(bool(trial.can_win and trial.broken))
        behind = (len(values) + 1) * last
        return behind + kind, values[kind] or 0.0 if kind < len(values) else 0.0, trial.number

    return sorted(trials, key=place)
