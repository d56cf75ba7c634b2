"""The broker: hands trials to gangs, rung results to Tune, stops to gangs, and everything to the recorder.

One async Ray actor per sweep. It imports no torch and waits almost all of the time.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from orchestrator.search.result import WORST_FID
from orchestrator.sweep.messages import Confirmed, Ended, Event, Joined, Lease, Lull, Progressed, Remeasure, Started
from orchestrator.sweep.retry_queue import Finals
from trainers.run_report import Decision, EpochReport, Outcome, Verdict

MAX_RETRIES = 2  # of a trial whose gang died under it
DECISION_TIMEOUT_S = 10.0  # a gang waits this long at a rung for Tune; then it trains on and reads the answer later
IDLE_S = 30.0  # a gang without work asks again this often, well inside the collectives' timeouts


@dataclass
class _Trial:
    params: dict[str, Any]
    results: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: Verdict | None = None
    gang: int | None = None
    attempts: int = 0
    leased: float | None = None  # wall clock of its first lease
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
        self._gangs: set[int] = set()
        self._finals = Finals()
        self._halted = self._closed = False

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
            await self._notify()

    async def halt(self, verdict: Verdict) -> None:
        """End all trials and let none start; the gangs stay, to measure the best ones again."""
        self._halted = True
        for trial_id in list(self._trials):
            await self.stop(trial_id, verdict)

    async def close(self, verdict: Verdict) -> None:
        """End the sweep: stop what runs, send every gang home."""
        self._closed = True
        await self.halt(verdict)
        await self._notify()

    # the end of a sweep: the best are measured again

    async def outcomes(self, wait_s: float) -> tuple[int, dict[str, Outcome]]:
        """How many trials gangs still hold, and how the others ended; waits up to `wait_s` until none is held."""

        def held() -> int:
            return sum(trial.gang is not None and trial.outcome is None for trial in self._trials.values())

        await self._until(lambda: not held(), wait_s)
        return held(), {name: trial.outcome for name, trial in self._trials.items() if trial.outcome is not None}

    async def remeasure(self, trial_ids: list[str], seeds: int) -> None:
        """Queue finished trials for the gangs, each for `seeds` sets of fresh latents."""
        self._finals.open(trial_ids, seeds)
        await self._notify()

    async def remeasuring(self, wait_s: float) -> tuple[int, dict[str, str]]:
        """How many of them wait or run, and why others were given up; waits up to `wait_s` until none is left."""
        await self._until(lambda: not self._finals.pending, wait_s)
        return self._finals.pending, dict(self._finals.given_up)

    # the gangs' side

    async def lease(self, gang: int) -> Lease | Remeasure | Lull:
        """The next trial for `gang`. A trial that it still holds was interrupted: it comes first, for any gang.

        Where no trial waits, one to be measured again.
        """
        if gang not in self._gangs:
            self._gangs.add(gang)
            self._events.put_nowait(Joined(gang))
        await self.abandon(gang)
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(self._has_news), IDLE_S)
            except TimeoutError:
                return Lull.IDLE
            if self._closed:
                return Lull.CLOSED
            if not self._has_news():  # what waited was taken back before this gang came to take it
                return Lull.IDLE
            if self._halted or not self._waiting:
                return self._finals.take(gang)
            trial_id = self._waiting.popleft()
        trial = self._trials[trial_id]
        trial.gang, trial.attempts = gang, trial.attempts + 1
        trial.leased = trial.leased or time.time()
        self._events.put_nowait(Started(trial_id, trial.params, trial.attempts))
        return Lease(trial_id, trial.params)

    async def abandon(self, gang: int) -> None:
        """Give back what `gang` holds: it has died."""
        for trial_id, trial in list(self._trials.items()):
            if trial.gang == gang and trial.outcome is None:
                await self._give_back(trial_id, trial)
        self._finals.give_back(gang)
        await self._notify()

    async def report(self, trial_id: str, report: EpochReport, *, last: bool) -> Decision:
        """Record an epoch. At a rung, wait for Tune's decision, so that a cut trial ends at its rung.

        Args:
            trial_id: whose.
            report: the epoch.
            last: the trial ends with it, whatever Tune says.
        """
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
        if trial.outcome is not None:
            self._finals.complain(trial_id, detail)
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
        await self._notify()

    async def measured(self, trial_id: str, values: list[float], failure: str = "") -> None:
        """Record what a trial was measured at again, or with `failure` why it was not."""
        if self._finals.finish(trial_id, failure):
            self._events.put_nowait(Confirmed(trial_id, tuple(values)))
        await self._notify()

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
        """What Tune gets: FID, our own clock, and the verdict once there is one.

        Every FID goes under the objective's name, those of rungs on fewer fakes too: schedulers compare trials at the
        same epoch, where all have the same number (`trainers.measuring.fakes_at`).
        """
        last, outcome = trial.last, trial.outcome
        fid = last.fid if last is not None else None
        result: dict[str, Any] = {"epoch": last.epoch if last else 0, self._metric: WORST_FID if fid is None else fid}
        if last is not None and "diversity" in last.metrics:
            result["diversity"] = last.metrics["diversity"]
        if outcome is not None:
            seconds = time.time() - trial.leased if trial.leased else 0.0
            result |= {
                "done": True,
                "verdict": str(outcome.verdict),
                "objective": outcome.objective,
                "seconds": seconds,
            }
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

    def _has_news(self) -> bool:
        """Whether a gang that asks for work hears anything but that there is none."""
        return self._closed or self._finals.waiting or (bool(self._waiting) and not self._halted)

    async def _until(self, condition: Callable[[], bool], wait_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with self._changed:
                await asyncio.wait_for(self._changed.wait_for(condition), wait_s)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


# Ray turns every method into a message; its stubs do not follow that.
BrokerHandle = Any


def start_broker(metric: str) -> BrokerHandle:
    """Start a sweep's broker in the connected Ray."""
    return ray.remote(num_cpus=0)(Broker).remote(metric)
