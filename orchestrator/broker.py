"""The broker: hands trials to gangs, rung results to Tune, stops to gangs, and everything to the recorder.

One async Ray actor per sweep. It imports no torch and waits almost all of the time.
"""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import ray

from trainers.report import Decision, EpochReport, Outcome, Verdict

MAX_RETRIES = 2  # of a trial whose gang died under it
DECISION_TIMEOUT_S = 10.0  # a gang waits this long at a rung for Tune; then it trains on and reads the answer later
IDLE_S = 30.0  # a gang without work asks again this often, well inside the collectives' timeouts
WORST_FID = 1e6  # what Tune is told of a trial without a finite FID: ASHA never stops on NaN


class Lull(Enum):
    """What a gang hears instead of a lease."""

    IDLE = "idle"  # nothing to do yet; ask again
    CLOSED = "closed"  # the sweep is over


@dataclass(frozen=True)
class Lease:
    """A trial for a gang: its id and its searched values."""

    trial_id: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Started:
    """A gang has taken a trial; `attempt` counts from 1."""

    trial_id: str
    params: dict[str, Any]
    attempt: int


@dataclass(frozen=True)
class Progressed:
    """A trial has finished an epoch."""

    trial_id: str
    report: EpochReport


@dataclass(frozen=True)
class Ended:
    """A trial is over."""

    trial_id: str
    outcome: Outcome


Event = Started | Progressed | Ended


@dataclass
class _Trial:
    params: dict[str, Any]
    results: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: Verdict | None = None
    gang: int | None = None
    attempts: int = 0
    complaint: str = ""
    last: EpochReport | None = None
    outcome: Outcome | None = None


class Broker:
    """State of all trials of a sweep; every method is one message.

    Args:
        metric: name of the FID, protocol included, under which Tune gets it.
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._trials: dict[str, _Trial] = {}
        self._waiting: deque[str] = deque()
        self._changed = asyncio.Condition()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._closed = False

    # Tune's side (its searcher submits, its relays ask)

    async def submit(self, trial_id: str, params: dict[str, Any]) -> None:
        """Queue a trial."""
        self._trials[trial_id] = _Trial(params)
        self._waiting.append(trial_id)
        await self._notify()

    async def next_result(self, trial_id: str) -> dict[str, Any]:
        """The trial's next rung, for Tune. Asking for it means that Tune lets the trial go on.

        The last result stays: a relay that died may have taken it along, and Tune starts another that asks again.
        """
        trial = self._trials[trial_id]
        trial.decided.set()
        result = await trial.results.get()
        if "done" in result:
            trial.results.put_nowait(result)
        return result

    async def stop(self, trial_id: str, verdict: Verdict) -> None:
        """End a trial: at its gang's next report, or at once when no gang has it."""
        trial = self._trials.get(trial_id)
        if trial is None or trial.outcome is not None or trial.stopped is not None:
            return
        trial.stopped = verdict
        trial.decided.set()
        if trial_id in self._waiting:
            self._waiting.remove(trial_id)
            self._end(trial, Outcome(verdict=verdict, epochs=0))

    async def close(self, verdict: Verdict) -> None:
        """End the sweep: stop what runs, send every gang home."""
        self._closed = True
        for trial_id in list(self._trials):
            await self.stop(trial_id, verdict)
        await self._notify()

    # the gangs' side

    async def lease(self, gang: int) -> Lease | Lull:
        """The next trial for `gang`. A trial that it still holds was interrupted: it comes first, for any gang."""
        await self.abandon(gang)
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self._waiting or self._closed), IDLE_S)
            except TimeoutError:
                return Lull.IDLE
            if self._closed:
                return Lull.CLOSED
            trial_id = self._waiting.popleft()
        trial = self._trials[trial_id]
        trial.gang, trial.attempts = gang, trial.attempts + 1
        self._events.put_nowait(Started(trial_id, trial.params, trial.attempts))
        return Lease(trial_id, trial.params)

    async def abandon(self, gang: int) -> None:
        """Give back what `gang` holds: it has died."""
        for trial_id, trial in list(self._trials.items()):
            if trial.gang == gang and trial.outcome is None:
                await self._give_back(trial_id, trial)

    async def report(self, trial_id: str, report: EpochReport, *, last: bool) -> Decision:
        """Record an epoch. At a rung, wait for Tune's decision, so that a cut trial ends at its rung."""
        trial = self._trials[trial_id]
        self._events.put_nowait(Progressed(trial_id, report))
        trial.last = report
        if report.fid is not None and not last and trial.stopped is None:
            trial.decided.clear()
            trial.results.put_nowait(self._result(trial))
            try:
                await asyncio.wait_for(trial.decided.wait(), DECISION_TIMEOUT_S)
            except TimeoutError:
                return Decision.CONTINUE
        return Decision.STOP if trial.stopped else Decision.CONTINUE

    async def complain(self, trial_id: str, detail: str) -> None:
        """A rank's error, before its gang restarts; the first of an attempt is closest to the cause."""
        trial = self._trials[trial_id]
        trial.complaint = trial.complaint or detail

    async def end(self, trial_id: str, outcome: Outcome) -> None:
        """Record how a trial ended. One that was told to stop ended for that reason."""
        trial = self._trials[trial_id]
        if trial.outcome is not None:
            return
        if outcome.verdict is Verdict.OUTRANKED and trial.stopped is not None:
            outcome = replace(outcome, verdict=trial.stopped)
        self._events.put_nowait(Ended(trial_id, outcome))
        self._end(trial, outcome)

    # the recorder's side

    async def events(self, wait_s: float) -> list[Event]:
        """All that has happened since the last call; waits up to `wait_s` for the first."""
        happened: list[Event] = []
        if self._events.empty():
            with contextlib.suppress(TimeoutError):
                happened.append(await asyncio.wait_for(self._events.get(), wait_s))
        while not self._events.empty():
            happened.append(self._events.get_nowait())
        return happened

    def _end(self, trial: _Trial, outcome: Outcome) -> None:
        trial.outcome = outcome
        trial.results.put_nowait(self._result(trial))

    def _result(self, trial: _Trial) -> dict[str, Any]:
        """What Tune gets: FID under its protocol's name, our own clock, and the verdict once there is one."""
        last, outcome = trial.last, trial.outcome
        fid = last.fid if last is not None else None
        result: dict[str, Any] = {"epoch": last.epoch if last else 0, self._metric: WORST_FID if fid is None else fid}
        if outcome is not None:
            result |= {"done": True, "verdict": outcome.verdict.value, "objective": outcome.objective}
        return result

    async def _give_back(self, trial_id: str, trial: _Trial) -> None:
        if trial.stopped is not None:
            await self.end(trial_id, self._lost(trial, trial.stopped, ""))
        elif trial.attempts > MAX_RETRIES:
            last_words = f", last: {trial.complaint}" if trial.complaint else ""
            detail = f"its workers died {trial.attempts} times{last_words}"
            await self.end(trial_id, self._lost(trial, Verdict.LOST, detail))
        else:
            trial.gang, trial.complaint = None, ""
            self._waiting.appendleft(trial_id)
            await self._notify()

    def _lost(self, trial: _Trial, verdict: Verdict, detail: str) -> Outcome:
        last = trial.last
        objective, best_epoch = (last.objective, last.best_epoch) if last else (None, None)
        epochs = last.epoch if last else 0
        return Outcome(verdict=verdict, epochs=epochs, objective=objective, best_epoch=best_epoch, detail=detail)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


# Ray turns every method into a message; its stubs do not follow that.
BrokerHandle = Any


def start_broker(metric: str) -> BrokerHandle:
    """Start a sweep's broker in the connected Ray."""
    return ray.remote(num_cpus=0)(Broker).remote(metric)
