"""The state of a sweep: a pure function of its saved plan, its log and its trials' histories."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.results import events
from orchestrator.results.absence import Absence
from orchestrator.results.exploits import Exploit
from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import is_repeat
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.verdict import State, SweepStatus, TrialOutcome
from orchestrator.space.objectives import measured_costs
from trainers.run_report import EpochReport


@dataclass
class Session:
    """One driver's time with the sweep: what it wrote when it came, and what it or another wrote at its end."""

    opened: events.Opened
    closed: events.Closed | None = None


@dataclass
class SweepState:
    """How a sweep stands.

    Attributes:
        plan: as launched.
        trials: all trials that have started, by number.
        waiting: trials that no gang has taken yet, in order.
        interrupted: of `trials`, those that wait for a gang again, first in line: theirs died, or they were promoted.
        holders: gang that holds a trial, by trial.
        attempts: attempts in a row that made no progress, by open trial.
        stopping: why an open trial has to end, by trial.
        pausing: open trials that have to leave their gangs, and to wait at a rung.
        sessions: the drivers that it had.
        gangs: those that are up, with the time until which what they hold was counted last.
        sizes: of the gangs that are up, how many ranks each has, and how many are planned.
        absence: of gangs that went down.
        halting: set when the last driver has begun to end the sweep.
        answers: to requests of other terminals, by key: why one was not done, empty where it was.
        longest_epoch: seconds of the longest epoch so far; of trials that are over, the mean of each counts.
        newest: wall clock of the newest that is known, an event or an epoch.
    """

    plan: SavedPlan
    trials: dict[str, TrialRecord] = field(default_factory=dict)
    waiting: dict[str, events.Submitted] = field(default_factory=dict)
    interrupted: list[str] = field(default_factory=list)
    holders: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    stopping: dict[str, str] = field(default_factory=dict)
    pausing: set[str] = field(default_factory=set)
    sessions: list[Session] = field(default_factory=list)
    gangs: dict[int, float] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    halting: events.Halting | None = None
    answers: dict[str, str] = field(default_factory=dict)
    longest_epoch: float = field(default=0.0, compare=False)  # a reader that skips histories knows less
    newest: float = 0.0
    planned: int = 0
    budgets: dict[str, float | None] = field(default_factory=dict)
    _seconds: float = 0.0  # of the sessions before
    absence: Absence = field(default_factory=Absence)
    _gang_seconds: float = 0.0  # of gangs that are down, or have had another size

    def __post_init__(self) -> None:
        self.planned, self.budgets = self.plan.trials, dict(self.plan.budgets)

    @property
    def status(self) -> SweepStatus:
        """Whether it runs, or how it ended; a driver that died without a word is not known here."""
        return SweepStatus.RUNNING if self._end_of_last is None else SweepStatus(self._end_of_last.status)

    @property
    def detail(self) -> str:
        """A sentence about the status; empty where it says it all."""
        return "" if self._end_of_last is None else self._end_of_last.detail

    @property
    def session(self) -> int:
        """Number of the last driver, from 1; 0 before the first."""
        return len(self.sessions)

    @property
    def is_open(self) -> bool:
        """Whether the last driver has not written its end."""
        return bool(self.sessions) and self._end_of_last is None

    @property
    def _end_of_last(self) -> events.Closed | None:
        return self.sessions[-1].closed if self.sessions else None

    def by_number(self) -> list[TrialRecord]:
        """All trials that have started, in the order of their numbers, repeats after the trial of their setting."""
        # A copy made in one step: a driver's recorder adds trials in a thread of its own.
        return sorted(
            self.trials.copy().values(), key=lambda trial: (trial.number, len(trial.trial_id), trial.trial_id)
        )

    def open_trials(self) -> list[TrialRecord]:
        """The trials that have started and not ended."""
        return [trial for trial in self.trials.values() if trial.open]

    def proposed(self) -> int:
        """Number of trials that the search has proposed."""
        return sum(not is_repeat(name) for name in [*self.trials, *self.waiting])

    def seconds(self, now: float) -> float:
        """Time that drivers have spent on the sweep, until `now`."""
        return self._seconds + (max(0.0, now - self.sessions[-1].opened.at) if self.is_open else 0.0)

    def held(self, now: float) -> float:
        """Seconds that gangs were up until `now`, added up; of one with fewer ranks than planned, its share of them."""
        return self._gang_seconds + sum(self._since_counted(gang, now) for gang in list(self.gangs))

    def held_by(self, trial: TrialRecord, now: float) -> float:
        """Of `held`, what the trial had of it."""
        gang = self.holders.get(trial.trial_id)
        return trial.held + (0.0 if gang is None else self._since_counted(gang, now))

    def gpu_hours(self, now: float) -> float:
        """GPUs that the gangs have held x hours since their ranks started, until `now`."""
        return self.plan.gang_gpus * self.held(now) / 3600

    def cost(self, now: float) -> float | None:
        """US dollars until `now`, by the plan's prices; None without."""
        on_gpus = self.plan.gang_gpus > 0
        return self.plan.prices.cost(on_gpus=on_gpus, gpu_hours=self.gpu_hours(now), seconds=self.seconds(now))

    def away(self, now: float) -> float:
        """The share of gangs' time in which they were down after they had been up, until `now`."""
        away = self.absence.seconds
        return away / (away + self.held(now)) if away else 0.0

    @property
    def short(self) -> list[str]:
        """A few words on each gang that has fewer ranks than planned."""
        sizes = sorted(self.sizes.copy().items())
        return [f"gang {gang} has {has} of {of} workers" for gang, (has, of) in sizes if has < of]

    def apply(self, event: events.Event) -> bool:
        """Add an event; returns whether it changes anything.

        One that a process of a dead driver wrote, after another had opened the sweep, does not, nor do events of trials
        that are not known, or over.
        """
        anytime = isinstance(event, events.Opened | events.Changed)
        if not anytime and (event.session != self.session or not self.is_open):
            return False
        self.newest = max(self.newest, event.at)
        return _APPLY[type(event)](self, event)

    def progress(self, trial_id: str, report: EpochReport) -> bool:
        """Add an epoch of a trial that is open; returns False for one that it has already."""
        trial = self.trials.get(trial_id)
        if trial is None or not trial.open or report.epoch <= trial.epochs:
            return False
        if report.checkpoint > trial.checkpoint:
            self.attempts[trial_id] = 0
        trial.progress(report)
        self.longest_epoch = max(self.longest_epoch, report.ended - report.started)
        self.newest = max(self.newest, report.ended)
        return True

    def _opened(self, event: events.Opened) -> bool:
        if self.is_open:  # the driver before it has died, and whoever noticed could not write that
            death = events.Closed(at=event.at, session=self.session, status=SweepStatus.INTERRUPTED, ended=event.at)
            self._closed(death)
        self.sessions.append(Session(event))
        self.halting = None
        self.planned, self.budgets = event.trials, dict(event.budgets)
        for trial in self.trials.values():
            if trial.state is State.STOPPED:  # the sweep's end had cut it short: it goes on
                trial.reopen()
                if not trial.paused:
                    self.interrupted.append(trial.trial_id)
        return True

    def _changed(self, event: events.Changed) -> bool:
        self.answers[event.key] = ""
        self.planned = event.trials or self.planned
        self.budgets = {**self.budgets, **(event.budgets or {})}
        return True

    def _not_done(self, event: events.NotDone) -> bool:
        self.answers[event.key] = event.why
        return True

    def _since_counted(self, gang: int, at: float) -> float:
        """Seconds that a gang has held what it holds since that was counted last, by the share of ranks that it has."""
        has, of = self.sizes.get(gang, (1, 1))
        since = self.gangs.get(gang, at)
        return max(0.0, at - since) * has / max(1, of)  # clocks are set back at times

    def _gang_up(self, event: events.GangUp) -> bool:
        size = (event.workers, event.of)
        if self.sizes.get(event.gang) == size:
            return False
        self._count_until(event.gang, event.at)
        self.absence.up(event.gang, event.at)
        self.gangs[event.gang], self.sizes[event.gang] = event.at, size
        return True

    def _gang_down(self, event: events.GangDown) -> bool:
        if event.gang not in self.gangs:
            return False
        self._count_until(event.gang, event.at)
        del self.gangs[event.gang], self.sizes[event.gang]
        self.absence.down(event.gang, event.at, left=event.left)
        return True

    def _count_until(self, gang: int, at: float) -> None:
        """Add what a gang has held until now, if it is up, to its trial's part too."""
        if gang not in self.gangs:
            return
        held = self._since_counted(gang, at)
        if (trial := next((name for name, holder in self.holders.items() if holder == gang), None)) is not None:
            self.trials[trial].held += held
        # In this order: who reads meanwhile, in another thread, finds too little rather than too much.
        self.gangs[gang] = max(at, self.gangs[gang])
        self._gang_seconds += held

    def _submitted(self, event: events.Submitted) -> bool:
        if event.trial in self.trials:
            return False
        self.waiting[event.trial] = event
        return True

    def _take_waiting(self, trial_id: str, at: float) -> None:
        """Give a trial that waits its record."""
        if (proposal := self.waiting.pop(trial_id, None)) is not None:
            self.trials[trial_id] = TrialRecord(
                trial_id,
                proposal.params,
                proposal.epochs,
                started=at,
                n_fake=proposal.n_fake,
                costs=dict(proposal.costs),
                constraints=self.plan.constraints,
                measure=self.plan.objectives[0],
            )
            if proposal.repeats in self.trials:
                self.trials[proposal.repeats].repeats.append(self.trials[trial_id])

    def _started(self, event: events.Started) -> bool:
        self._take_waiting(event.trial, event.at)
        trial = self.trials.get(event.trial)
        if trial is None or not trial.open:
            return False
        self._count_until(event.gang, event.at)
        trial.go_on(event.at)
        if event.trial in self.interrupted:
            self.interrupted.remove(event.trial)
        self.holders[event.trial] = trial.gang = event.gang
        self.attempts[event.trial] = event.attempt
        return True

    def _saved(self, event: events.Saved) -> bool:
        if event.trial not in self.holders:
            return False
        self.attempts[event.trial] = 0
        return True

    def _interrupted(self, event: events.Interrupted) -> bool:
        if (gang := self.holders.get(event.trial)) is None:
            return False
        self._count_until(gang, event.at)
        del self.holders[event.trial]
        self.interrupted.append(event.trial)
        self.attempts[event.trial] = event.attempts
        return True

    def _pausing(self, event: events.Pausing) -> bool:
        trial = self.trials.get(event.trial)
        if trial is None or trial.state is not State.RUNNING or event.trial in self.pausing:
            return False
        self.pausing.add(event.trial)
        return True

    def _paused(self, event: events.Paused) -> bool:
        if (gang := self.holders.get(event.trial)) is None:
            return False
        self.pausing.discard(event.trial)
        self._count_until(gang, event.at)
        del self.holders[event.trial]
        self.attempts.pop(event.trial, None)
        self.trials[event.trial].pause(event.at)
        self.trials[event.trial].rests += [event.epoch] if event.epoch else []
        return True

    def _exploited(self, event: events.Exploited) -> bool:
        exploit = Exploit(epoch=event.epoch, source=event.source, params=event.params)
        trial = self.trials.get(event.trial)
        if trial is None or not trial.open or exploit in trial.exploits:
            return False
        trial.exploits.append(exploit)
        return True

    def _promoted(self, event: events.Promoted) -> bool:
        trial = self.trials.get(event.trial)
        if event.trial in self.pausing:
            self.pausing.remove(event.trial)
            return True
        if trial is None or trial.state is not State.PAUSED:
            return False
        trial.promote()
        self.interrupted.append(event.trial)
        return True

    def _stopping(self, event: events.Stopping) -> bool:
        trial = self.trials.get(event.trial)
        if trial is None or not trial.open or event.trial in self.stopping:
            return False
        self.stopping[event.trial] = event.reason
        return True

    def _halting(self, event: events.Halting) -> bool:
        self.halting = event
        return True

    def _ended(self, event: events.Ended) -> bool:
        self._take_waiting(event.trial, event.at)  # stopped before a gang took it
        trial = self.trials.get(event.trial)
        if trial is None or not trial.open:
            return False
        if event.trial in self.holders:
            self._count_until(self.holders[event.trial], event.at)
        trial.restore_totals(event.totals)
        self._end(trial, TrialOutcome(**event.outcome), event.seconds, event.at)
        return True

    def _end(self, trial: TrialRecord, outcome: TrialOutcome, seconds: float, at: float) -> None:
        trial.end(outcome, seconds)
        if trial.trained:
            self.longest_epoch = max(self.longest_epoch, seconds / trial.trained)
        trial.ended = at
        if "device_seconds" in self.plan.objectives:
            trial.costs["device_seconds"] = seconds * self.plan.devices
        trial.costs |= measured_costs(self.plan.objectives[1:], trial.beside)
        self.pausing.discard(trial.trial_id)
        for place in (self.holders, self.attempts, self.stopping):
            place.pop(trial.trial_id, None)
        if trial.trial_id in self.interrupted:
            self.interrupted.remove(trial.trial_id)

    def _confirmed(self, event: events.Confirmed) -> bool:
        trial = self.trials.get(event.trial)
        if trial is None:
            return False
        trial.confirmed, trial.refused, trial.confirmed_beside = list(event.values), event.refused, list(event.beside)
        return True

    def _closed(self, event: events.Closed) -> bool:
        self.sessions[-1].closed = event
        self._seconds += max(0.0, event.ended - self.sessions[-1].opened.at)
        for gang in self.gangs:
            self._count_until(gang, event.ended)
        self.gangs.clear()
        self.sizes.clear()
        self.absence.close(event.ended)
        for trial in self.open_trials():
            reason = self.stopping.get(trial.trial_id, SweepStatus(event.status).trials_end_as)
            outcome = TrialOutcome(
                verdict=reason, epochs=trial.epochs, objective=trial.objective, best_epoch=trial.best_epoch
            )
            self._end(trial, outcome, trial.running_seconds(event.ended), event.ended)
        return True


_APPLY: dict[type[events.Event], Callable[[SweepState, Any], bool]] = {
    events.Opened: SweepState._opened,
    events.Changed: SweepState._changed,
    events.NotDone: SweepState._not_done,
    events.GangUp: SweepState._gang_up,
    events.GangDown: SweepState._gang_down,
    events.Submitted: SweepState._submitted,
    events.Started: SweepState._started,
    events.Saved: SweepState._saved,
    events.Interrupted: SweepState._interrupted,
    events.Pausing: SweepState._pausing,
    events.Paused: SweepState._paused,
    events.Exploited: SweepState._exploited,
    events.Promoted: SweepState._promoted,
    events.Stopping: SweepState._stopping,
    events.Halting: SweepState._halting,
    events.Ended: SweepState._ended,
    events.Confirmed: SweepState._confirmed,
    events.Closed: SweepState._closed,
}
