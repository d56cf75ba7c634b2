"""Follows a sweep's log: folds what was added since the last call into a state, and passes it on to sinks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.results.events import (
    Closed,
    Confirmed,
    DamagedError,
    Ended,
    Event,
    Exploited,
    GangUp,
    Interrupted,
    Opened,
    Paused,
    Started,
    from_json,
)
from orchestrator.results.histories import HistoryReader
from orchestrator.results.lines import LineReader
from orchestrator.results.places import EVENTS_FILE, history_file
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.sinks import Sink
from orchestrator.results.state import SweepState
from trainers.errors import UserError

MOST_BYTES = 1 << 20  # of the log that are read at once


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a follower is, in bytes.

    Attributes:
        events: of the log.
        histories: of the histories of trials that are open, or were cut short and may go on.
    """

    events: int = 0
    histories: dict[str, int] = field(default_factory=dict)


class Follower:
    """Reads a sweep's log and its trials' histories, in the order in which things happened.

    A trial's epochs are read before what happened to it afterwards: a rank writes an epoch before it reports it.

    Args:
        directory: of the sweep.
        plan: of the sweep.
        sinks: get what is read, in this order.
        every_epoch: whether all epochs are read; if not, only those of trials that are open or were cut short. The
            state is the same: the log says what the epochs of a trial that has ended add up to.

    Attributes:
        state: by what was read so far.
    """

    def __init__(
        self, directory: Path, plan: SavedPlan, sinks: Sequence[Sink] = (), *, every_epoch: bool = True
    ) -> None:
        self.state = SweepState(plan)
        self._directory, self._every_epoch = directory, every_epoch
        self._sinks = sinks
        self._events = LineReader(directory / EVENTS_FILE)
        self._histories: dict[str, HistoryReader] = {}  # of trials that have not ended by themselves
        self._until: Position | None = None  # while `skip` must not read beyond it

    @property
    def position(self) -> Position:
        """How far it has read."""
        return Position(
            events=self._events.offset,
            histories={name: reader.offset for name, reader in self._histories.items()},
        )

    def poll(self) -> bool:
        """Read what is new, all of it; returns whether there was anything.

        Raises:
            UserError: a file is damaged, or a newer version wrote it.
        """
        new = False
        for _ in self.steps():
            new = True
        return new

    def steps(self) -> Iterator[None]:
        """Read as `poll` does, but stop after each event and each open trial's new epochs: `position` is there then."""
        path = self._events.path
        while lines := LineReader(path, self._events.offset).read_with_ends(MOST_BYTES):
            for line, end in lines:
                self._apply(self._event(line, end))
                self._events = LineReader(path, end)
                yield
        for trial in self.state.open_trials():
            if self._catch_up(trial):
                yield

    def skip(self, until: Position | None = None) -> None:
        """Fold what lies before `until`, or all there is, without passing it on; for a new follower."""
        sinks, self._sinks, every_epoch, self._every_epoch = self._sinks, (), self._every_epoch, False
        self._until = until
        if until is None:
            self.poll()
        else:
            for line, end in self._events.read_with_ends():
                if end > until.events:
                    break
                self._apply(self._event(line, end))
            self._events = LineReader(self._events.path, until.events)
            for trial in self.state.open_trials():
                self._catch_up(trial)
        self._sinks, self._every_epoch, self._until = sinks, every_epoch, None

    def _event(self, line: dict[str, Any], end: int) -> Event:
        try:
            return from_json(line)
        except DamagedError as error:
            raise UserError(f"{error}; {self._events.cure(end - 1)}") from None

    def _apply(self, event: Event) -> None:
        state = self.state
        ending: list[TrialRecord] = []
        if isinstance(event, Closed | Opened):
            ending = state.open_trials()
        elif isinstance(event, Ended | Paused) and self._every_epoch and event.trial in state.trials:
            ending = [state.trials[event.trial]]
        for trial in ending:
            self._catch_up(trial)
        if not state.apply(event):
            return
        if isinstance(event, Ended):
            self._histories.pop(event.trial, None)
        for sink in self._sinks:
            match event:
                case Opened():
                    sink.opened(state)
                case GangUp(gang=gang):
                    sink.resized(state, gang)
                case Started(trial=name):
                    sink.started(state.trials[name])
                case Interrupted(trial=name, why=why):
                    sink.interrupted(state.trials[name], why)
                case Paused(trial=name):
                    sink.paused(state.trials[name])
                case Exploited(trial=name):
                    sink.exploited(state.trials[name])
                case Ended(trial=name):
                    sink.ended(state.trials[name])
                case Confirmed(trial=name):
                    sink.confirmed(state.trials[name])
                case Closed():
                    for trial in ending:
                        sink.ended(trial)
                    sink.closed(state)

    def _catch_up(self, trial: TrialRecord) -> bool:
        """Read a trial's new epochs; returns whether there were any."""
        name = trial.trial_id
        until = None if self._until is None else self._until.histories.get(name, 0)
        if name not in self._histories:
            self._histories[name] = HistoryReader(history_file(self._directory, name))
        reader, new = self._histories[name], False
        start = reader.offset
        for report, end in reader.read():
            if until is not None and end > until:
                self._histories[name] = HistoryReader(reader.path, max(start, until))
                break
            if self.state.progress(name, report):
                new = True
                for sink in self._sinks:
                    sink.progressed(trial, report)
        return new
