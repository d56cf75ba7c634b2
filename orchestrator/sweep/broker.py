"""The broker: passes trials to gangs, measurements to Tune, stop requests to gangs, and all events to the recorder.

One async Ray actor per sweep. It imports no torch and waits almost all of the time. Other processes call it through
`orchestrator.sweep.broker_client`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.search.result import TrialResult
from orchestrator.sweep.messages import (
    Confirmed,
    ConfirmLease,
    Ended,
    Event,
    GangUp,
    Lease,
    NoLease,
    Progressed,
    Started,
)
from orchestrator.sweep.retry_queue import RetryQueue
from trainers.run_report import EpochReport

DECISION_TIMEOUT_S = 10.0  # a gang waits this long for Tune's decision, then trains on and gets it later
IDLE_S = 30.0  # a gang without work asks again this often, well inside the collectives' timeouts


@dataclass
class _Trial:
    params: dict[str, Any]
    results: asyncio.Queue[TrialResult] = field(default_factory=asyncio.Queue)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: StopReason | Failure | None = None
    first_leased: float | None = None  # wall clock
    seconds: float = 0.0  # from its first lease to its end
    last: EpochReport | None = None
    checkpoint: int = 0  # the epoch of the newest one, as last reported; older than `last` may say after a damage
    outcome: TrialOutcome | None = None


class Broker:
    """State of all trials of a sweep; every public method is one message."""

    def __init__(self) -> None:
        self._trials: dict[str, _Trial] = {}
        self._queue = RetryQueue()
        self._changed = asyncio.Condition()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._gangs: set[int] = set()
        self._confirmations = RetryQueue()
        self._seeds = 0
        self._unconfirmed: dict[str, str] = {}  # trial to the reason
        self._halted = self._closed = False

    # Tune's side (its searcher submits, its trainables ask)

    async def submit(self, trial_id: str, params: dict[str, Any]) -> None:
        """Queue a trial."""
        self._trials[trial_id] = _Trial(params)
        self._queue.add(trial_id)
        await self._notify()

    async def next_result(self, trial_id: str) -> TrialResult:
        """Wait for the trial's next measurement, for Tune. This call also means that Tune lets the trial go on.

        The last result stays in the queue: when a trainable dies with it, Tune starts another, which asks again.
        """
        trial = self._trials[trial_id]
        trial.decided.set()
        result = await trial.results.get()
        if result.outcome is not None:
            trial.results.put_nowait(result)
        return result

    async def stop(self, trial_id: str, reason: StopReason | Failure) -> None:
        """End a trial: at its gang's next report, or at once when no gang has it."""
        trial = self._trials.get(trial_id)
        if trial is None or trial.outcome is not None or trial.stopped is not None:
            return
        trial.stopped = reason
        trial.decided.set()
        if self._queue.take_back(trial_id):
            await self.end(trial_id, _unfinished(trial, reason))

    async def halt(self, reason: StopReason | Failure) -> None:
        """End all trials and let none start; the gangs stay, to measure the best ones again."""
        self._halted = True
        for trial_id in list(self._trials):
            await self.stop(trial_id, reason)

    async def close(self, reason: StopReason | Failure) -> None:
        """End the sweep: stop the running trials and let every gang exit."""
        self._closed = True
        await self.halt(reason)
        await self._notify()

    # the end of a sweep: the best are measured again

    async def outcomes(self, wait_s: float) -> tuple[int, dict[str, TrialOutcome]]:
        """Number of trials that gangs hold, and outcomes of the ended ones; waits up to `wait_s` for none held."""
        await self._until(lambda: not self._queue.held, wait_s)
        ended = {name: trial.outcome for name, trial in self._trials.items() if trial.outcome is not None}
        return self._queue.held, ended

    async def confirm(self, trial_ids: list[str], seeds: int) -> None:
        """Queue finished trials to be measured again, each on `seeds` sets of fresh latents."""
        self._seeds = seeds
        for trial_id in trial_ids:
            self._confirmations.add(trial_id)
        await self._notify()

    async def confirming(self, wait_s: float) -> tuple[int, dict[str, str]]:
        """Number of these still pending, and why others were given up; waits up to `wait_s` for none pending."""
        await self._until(lambda: not self._confirmations.pending, wait_s)
        return self._confirmations.pending, dict(self._unconfirmed)

    # the gangs' side

    async def lease(self, gang: int) -> Lease | ConfirmLease | NoLease:
        """The next trial for `gang`; when no trial waits, a finished one to measure again.

        A trial that `gang` still holds was interrupted: it goes back to the front of the queue, for any gang.
        """
        if gang not in self._gangs:
            self._gangs.add(gang)
            self._events.put_nowait(GangUp(gang))
        await self.abandon(gang)
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(self._has_work_or_end), IDLE_S)
            except TimeoutError:
                return NoLease.ASK_AGAIN
            if self._closed:
                return NoLease.SWEEP_OVER
            if not self._has_work_or_end():  # the waiting work was withdrawn before this gang could take it
                return NoLease.ASK_AGAIN
            if self._halted or not self._queue:
                trial_id, _ = self._confirmations.take(gang)
                return ConfirmLease(trial_id, self._seeds)
            trial_id, attempt = self._queue.take(gang)
        trial = self._trials[trial_id]
        if trial.first_leased is None:
            trial.first_leased = time.time()
        self._events.put_nowait(Started(trial_id, trial.params, attempt, trial.first_leased))
        return Lease(trial_id, trial.params)

    async def abandon(self, gang: int) -> None:
        """Queue again what `gang` holds, because it has died."""
        for trial_id in self._queue.held_by(gang):
            trial = self._trials[trial_id]
            if trial.stopped is not None:
                await self.end(trial_id, _unfinished(trial, trial.stopped))
            elif (why := self._queue.retry(trial_id)) is not None:
                await self.end(trial_id, _unfinished(trial, Failure.LOST, why))
        for trial_id in self._confirmations.held_by(gang):
            if (why := self._confirmations.retry(trial_id)) is not None:
                self._unconfirmed[trial_id] = why
        await self._notify()

    async def report(self, trial_id: str, report: EpochReport, *, last: bool) -> StopReason | Failure | None:
        """Record an epoch. At a measurement, wait for Tune's decision, so that a cut trial ends right there.

        An epoch that was reported before is not recorded again: a gang that goes on from a checkpoint repeats the
        epochs since then, and the report of the checkpoint's own epoch. A new checkpoint is progress there too.

        Args:
            trial_id: the trial.
            report: the epoch.
            last: whether the trial ends with this epoch, whatever Tune decides.

        Returns:
            Why the trial has to stop, None where it goes on.
        """
        trial = self._trials[trial_id]
        if report.checkpoint > trial.checkpoint:
            self._queue.progressed(trial_id)
        trial.checkpoint = report.checkpoint
        if trial.last is not None and report.epoch <= trial.last.epoch:
            return trial.stopped
        self._events.put_nowait(Progressed(trial_id, report))
        trial.last = report
        if report.measurement is not None and not last and trial.stopped is None:
            trial.decided.clear()
            trial.results.put_nowait(_result(trial))
            try:
                await asyncio.wait_for(trial.decided.wait(), DECISION_TIMEOUT_S)
            except TimeoutError:
                return None
        return trial.stopped

    async def complain(self, trial_id: str, detail: str) -> None:
        """Keep a rank's error, before its gang restarts: the first of each attempt, the closest to the cause."""
        over = self._trials[trial_id].outcome is not None
        (self._confirmations if over else self._queue).complain(trial_id, detail)

    async def end(self, trial_id: str, outcome: TrialOutcome) -> None:
        """Record how a trial ended."""
        trial = self._trials[trial_id]
        if trial.outcome is not None:
            return
        if outcome.objective is None and trial.last is not None and trial.last.objective is not None:
            outcome = _unfinished(trial, outcome.verdict, outcome.detail)  # an error after its best epoch
        self._queue.finish(trial_id)
        self._queue.take_back(trial_id)  # queued again if its gang was taken for dead before
        trial.outcome = outcome
        if trial.first_leased is not None:  # the recorder knows the trial
            trial.seconds = time.time() - trial.first_leased
            self._events.put_nowait(Ended(trial_id, outcome, trial.seconds))
        trial.results.put_nowait(_result(trial))
        await self._notify()

    async def confirmed(self, trial_id: str, values: list[float], *, failure: str = "", refused: str = "") -> None:
        """Record the FIDs that a trial was measured at again.

        Args:
            trial_id: the trial.
            values: one per set of latents.
            failure: why it was not measured, where it was not.
            refused: why it cannot win, where its samples on fresh latents say so.
        """
        if self._confirmations.finish(trial_id):
            if failure or refused:
                self._unconfirmed[trial_id] = failure or refused
            if not failure:
                self._events.put_nowait(Confirmed(trial_id, () if refused else tuple(values), refused))
        await self._notify()

    # the recorder's side

    async def events(self, wait_s: float) -> list[Event]:
        """All events since the last call; waits up to `wait_s` seconds for the first."""
        happened: list[Event] = []
        if self._events.empty():
            with contextlib.suppress(TimeoutError):
                happened.append(await asyncio.wait_for(self._events.get(), wait_s))
        while not self._events.empty():
            happened.append(self._events.get_nowait())
        return happened

    def _has_work_or_end(self) -> bool:
        """Whether there is work for a gang, or the sweep is over."""
        return self._closed or bool(self._confirmations) or (bool(self._queue) and not self._halted)

    async def _until(self, condition: Callable[[], bool], wait_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with self._changed:
                await asyncio.wait_for(self._changed.wait_for(condition), wait_s)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _result(trial: _Trial) -> TrialResult:
    epoch, measurement = (trial.last.epoch, trial.last.measurement) if trial.last is not None else (0, None)
    return TrialResult(epoch=epoch, measurement=measurement, outcome=trial.outcome, seconds=trial.seconds)


def _unfinished(trial: _Trial, verdict: str, detail: str = "") -> TrialOutcome:
    """The outcome of a trial that no gang will continue."""
    last = trial.last
    objective, best_epoch = (last.objective, last.best_epoch) if last is not None else (None, None)
    epochs = last.epoch if last is not None else 0
    return TrialOutcome(verdict=verdict, epochs=epochs, objective=objective, best_epoch=best_epoch, detail=detail)
