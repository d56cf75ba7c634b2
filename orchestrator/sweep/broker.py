"""The broker: passes trials to gangs, measurements to Tune and stop requests to gangs, and writes the sweep's log.

One async Ray actor per sweep, without torch, called through `orchestrator.sweep.broker_client`.

Whatever it decides it writes to the log first, and folds into the state that everybody else reads there. So it can die:
Ray starts it again, it reads the log, and whoever waited for an answer asks again. Every method can be called twice.
"""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.results import events
from orchestrator.results.exploits import Exploit
from orchestrator.results.repeats import is_repeat
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, State, StopReason, TrialOutcome
from orchestrator.search.proposal import Proposal
from orchestrator.search.result import TrialResult
from orchestrator.space.sections import PBT
from orchestrator.sweep.broker_log import BrokerLog
from orchestrator.sweep.confirm_queue import ConfirmQueue
from orchestrator.sweep.driver_sign import DriverSign
from orchestrator.sweep.epochs_elsewhere import EpochsElsewhere
from orchestrator.sweep.line import Line
from orchestrator.sweep.lines import Lines
from orchestrator.sweep.messages import ConfirmLease, Hold, Lease, NoLease, Rank
from orchestrator.sweep.pulses import Pulses
from orchestrator.sweep.repeating import Repeating
from orchestrator.sweep.retry_queue import RetryQueue
from orchestrator.sweep.waiting_room import WaitingRoom
from trainers.run_report import EpochReport

DECISION_TIMEOUT_S = 10.0  # a gang waits this long for Tune's decision, then trains on and gets it later
IDLE_S = 30.0  # a gang without work asks again this often, well inside the collectives' timeouts


class Broker:
    """Every public method is one message.

    Args:
        directory: of the sweep, which its driver has opened.
        release_after_s: see `DriverSign`.
    """

    def __init__(self, directory: Path, release_after_s: float | None = None) -> None:
        self._driver = DriverSign(release_after_s)
        self._store = ResultsStore(directory)
        self._state = state = self._store.read_state()
        self._log = BrokerLog(directory, state)
        waiting = [name for name in (*state.interrupted, *state.waiting) if not is_repeat(name)]  # see `repeat`
        self._queue = RetryQueue(waiting, state.holders, state.attempts)
        self._lines = Lines(self._store, state)
        self._room = WaitingRoom()
        self._confirmations, self._epochs = ConfirmQueue(state), EpochsElsewhere(directory)
        self._repeating = Repeating(state, self._queue, self._confirmations)
        self._keeps_rungs = state.plan.scheduler == PBT
        self._pulses = Pulses(time.monotonic, state.longest_epoch)
        self._pulses.took_over(state.gangs, state.holders.values())

    # Tune's side (its searcher submits, its trainables ask)

    async def submit(self, trial: Proposal) -> None:
        """Queue a trial."""
        if trial.name in self._state.waiting or trial.name in self._state.trials:
            return
        known = {"epochs": trial.epochs, "n_fake": trial.n_fake, "costs": trial.costs, "repeats": trial.repeats}
        self._log.write(events.Submitted, trial=trial.name, params=trial.params, **known)
        if trial.name in self._state.waiting:
            self._queue.add(trial.name)
        await self._notify()

    async def next_result(self, trial_id: str) -> TrialResult:
        """Wait for the trial's next measurement, for Tune. This call also means that Tune lets the trial go on.

        The last result stays in the queue: when a trainable dies with it, Tune starts another, which asks again.
        """
        line = self._lines.of(trial_id)
        line.decided = line.taken
        line.heard.set()
        result = await line.results.get()
        line.taken += 1
        if result.outcome is not None:
            line.results.put_nowait(result)
        return result

    async def stop(self, trial_id: str, reason: StopReason | Failure) -> None:
        """End a trial: at its gang's next report, or at once when no gang has it."""
        if trial_id not in self._state.trials and trial_id not in self._state.waiting:
            return
        line = self._lines.of(trial_id)
        if line.outcome is not None or line.stopped is not None:
            return
        self._log.write(events.Stopping, trial=trial_id, reason=reason)
        line.stopped = reason
        line.heard.set()
        trial = self._state.trials.get(trial_id)
        if self._queue.take_back(trial_id) or (trial is not None and trial.state is State.PAUSED):
            await self.end(trial_id, self._lines.unfinished(trial_id, reason))

    async def pause(self, trial_id: str) -> None:
        """Let a trial wait at its rung: its gang leaves it at its next report, and takes another."""
        trial = self._state.trials.get(trial_id)
        if trial is None or trial.state is not State.RUNNING or trial_id in self._state.pausing:
            return
        line = self._lines.of(trial_id)
        if self._log.write(events.Pausing, trial=trial_id):
            line.pausing = True
            line.heard.set()

    async def promote(self, trial_id: str, exploit: Exploit | None = None) -> None:
        """Let a paused trial go on: before new ones; one that its gang has not left yet just stays there."""
        trial = self._state.trials.get(trial_id)
        waits = trial_id in self._state.pausing or (trial is not None and trial.state is State.PAUSED)
        if trial is None or self._state.halting is not None or not waits:
            return
        if exploit is not None and exploit not in trial.exploits:
            self._log.write(events.Exploited, trial=trial_id, **asdict(exploit))
        if not self._log.write(events.Promoted, trial=trial_id):
            return
        self._lines.of(trial_id).pausing = False
        if trial_id in self._state.interrupted:
            self._queue.add(trial_id, self._state.interrupted.index(trial_id))
            await self._notify()

    async def halt(self, reason: StopReason | Failure) -> None:
        """End all trials and let none start; what no gang has taken waits for a later driver, and Tune hears that.

        The gangs stay, to measure the best ones again.
        """
        await self._halt(reason, gangs_exit=False)

    async def close(self, reason: StopReason | Failure) -> None:
        """End the sweep: stop the running trials and let every gang exit."""
        await self._halt(reason, gangs_exit=True)

    async def _halt(self, reason: StopReason | Failure, *, gangs_exit: bool) -> None:
        halting = self._state.halting
        if halting is None or gangs_exit > halting.gangs_exit:
            self._log.write(events.Halting, reason=reason, gangs_exit=gangs_exit)
        for trial_id in dict.fromkeys([*self._state.waiting, *self._lines]):
            line = self._lines.of(trial_id)
            if trial_id in self._state.trials or line.outcome is not None or self._repeating.rests(trial_id):
                continue
            self._queue.take_back(trial_id)
            line.outcome = TrialOutcome(verdict=reason, epochs=0)
            self._lines.tell_tune(trial_id)
        for trial in self._state.open_trials():
            # Paused ones end with the sweep, by its last line: there may be thousands.
            if trial.state is not State.PAUSED and not self._repeating.rests(trial.trial_id):
                await self.stop(trial.trial_id, reason)
        await self._notify()

    async def pid(self) -> int:
        """Its process."""
        return os.getpid()

    # the end of a sweep: the best are measured again

    async def settled(self, wait_s: float) -> int:
        """Number of trials that gangs hold; waits up to `wait_s` for none held."""
        await self._room.change(lambda: not self._queue.held, wait_s)
        return self._queue.held

    async def measure_again(self, trial_ids: list[str], seeds: int, wait_s: float) -> tuple[int, dict[str, str]]:
        """Let gangs measure finished trials again, on `seeds` sets of fresh latents each; waits up to `wait_s` seconds.

        Returns how many are left, and why others were not confirmed. One that was measured before is left as it is.
        """
        self._confirmations.ask(trial_ids, seeds)
        await self._notify()
        await self._room.change(lambda: not self._confirmations.pending, wait_s)
        return self._confirmations.pending, self._confirmations.why_not(trial_ids)

    async def repeat(self, trials: list[Proposal], seeds: int, wait_s: float) -> tuple[int, dict[str, str]]:
        """Let gangs train settings again, and measure each on `seeds` sets of latents; returns what the above does."""
        names = [trial.name for trial in trials]
        for trial in trials:
            await self.submit(trial)
        self._repeating.queue(names, seeds)
        await self._notify()
        await self._room.change(lambda: not self._repeating.left, wait_s)
        self._repeating.queue(names, seeds)  # those that were trained meanwhile are to be measured
        return self._repeating.left, self._confirmations.why_not(set(names) & self._state.trials.keys())

    # the gangs' side

    async def lease(self, gang: int, workers: int = 1, of: int = 1) -> Lease | ConfirmLease | NoLease:
        """The next trial for `gang`, which has `workers` ranks `of` those planned; else a finished one to measure anew.

        A trial that `gang` still holds was interrupted: it goes back to the front of the queue, for any gang.
        """
        await self._look_for_driver()
        call = self._pulses.called(gang)
        if self._state.sizes.get(gang) != (workers, of):
            self._log.write(events.GangUp, gang=gang, workers=workers, of=of)
        for one in (gang, *self._pulses.gone()):
            await self._take_from(one)
        if not await self._room.work(self._has_work_or_end, IDLE_S):
            return NoLease.ASK_AGAIN
        if self._over:
            return NoLease.SWEEP_OVER
        # The waiting work was withdrawn before this gang could take it, or its rank has died meanwhile.
        if not self._has_work_or_end() or not self._pulses.is_newest(gang, call):
            await self._notify()  # another takes what this one was woken for
            return NoLease.ASK_AGAIN
        self._pulses.began(gang)
        if not self._may_train:
            return self._confirmations.lease(gang)
        trial_id, attempt = self._queue.first()
        begun = trial_id in self._state.trials
        if not self._log.write(events.Started, trial=trial_id, gang=gang, attempt=attempt):
            return NoLease.SWEEP_OVER
        self._queue.take(gang)
        trial = self._state.trials[trial_id]
        return Lease(trial_id, trial.params, begun=begun, gang=gang, exploit=trial.exploit)

    async def abandon(self, gang: int) -> None:
        """`gang` has died for good: queue again what it holds."""
        self._down(gang)
        await self._take_from(gang)

    async def leave(self, trial_id: str) -> None:
        """A trial's gang leaves it, as it was asked: it waits again, first in line, and the attempt does not count."""
        if self._queue.holds(trial_id):
            await self._put_back(trial_id, "its workers were asked to leave", counts=False)
            await self._notify()

    async def paused(self, trial_id: str, gang: int) -> None:
        """A gang has left a trial at its rung, with a checkpoint; one that was promoted meanwhile waits for a gang."""
        if trial_id not in self._queue.held_by(gang):
            return
        if (stopped := self._ending(self._lines.of(trial_id))) is not None:
            await self.end(trial_id, self._lines.unfinished(trial_id, stopped))
        else:
            await self._pause(trial_id)

    async def report(self, trial_id: str, report: EpochReport, *, last: bool) -> StopReason | Failure | Hold | None:
        """Take an epoch; returns why the trial has to stop or to pause, None where it goes on.

        At a measurement, wait for Tune's decision, so that a cut trial ends right there; not where the trial ends with
        this epoch (`last`), whatever Tune decides. An epoch that was reported before is not taken again: a gang that
        goes on from a checkpoint repeats the epochs since then, and the report of the checkpoint's own epoch. A new
        checkpoint is progress there too.
        """
        await self._look_for_driver()
        line, trial = self._lines.of(trial_id), self._state.trials[trial_id]
        self._pulses.epoch(report.ended - report.started)
        if report.checkpoint > trial.checkpoint:
            self._queue.progressed(trial_id)
        if line.outcome is not None:  # ended by a gang that was taken for dead
            return line.stopped or StopReason.OUTRANKED
        self._epochs.keep(trial_id, report)
        if self._state.progress(trial_id, report):
            line.last = report
            if report.measurement is not None and not last and line.stopped is None:
                self._lines.tell_tune(trial_id)
        else:
            trial.checkpoint = report.checkpoint
        if report.measurement is not None and report.epoch == trial.epochs and not last:
            await line.decision(DECISION_TIMEOUT_S)
        return self._ending(line) or (Hold.PAUSE if line.pausing and report.epoch >= trial.epochs else None)

    async def saved(self, trial_id: str) -> None:
        """A checkpoint inside an epoch is on disk: the attempt has made progress, which no report tells."""
        if self._queue.holds(trial_id) and self._log.write(events.Saved, trial=trial_id):
            self._queue.progressed(trial_id)

    async def full(self, place: str) -> None:
        """A rank could not write: a disk is full. All trials end at their next report; a later driver goes on."""
        self._log.full = self._log.full or place
        await self._notify()

    async def where_full(self) -> str:
        """What a rank, or this broker, could not write; empty where all could."""
        return self._log.full

    async def complain(self, trial_id: str, detail: str) -> None:
        """Keep a rank's error, before its gang restarts: the first of each attempt, the closest to the cause."""
        over = self._lines.of(trial_id).outcome is not None
        (self._confirmations if over else self._queue).complain(trial_id, detail)

    async def ranks(self, gang: int) -> list[Rank]:
        """The ranks of a gang, as each was heard of last."""
        return self._pulses.ranks(gang)

    async def work(self, gang: int) -> int:
        """How often `gang` has got on so that something is kept; counted anew by a broker that was started again."""
        return self._queue.work(gang) + self._confirmations.work(gang)

    async def died(self, gang: int, cause: str, *, blameless: bool, left: bool = False) -> None:
        """Ranks of `gang` have died, and it is started again; where it stays away, others take what it holds.

        The `cause`, a few words, is closer to it than any rank's error. `blameless`: see `RetryQueue.excuse`;
        `left`: it was asked to leave.
        """
        self._down(gang, left=left)
        self._pulses.died(gang)
        for queue in (self._queue, self._confirmations):
            for name in queue.held_by(gang):
                if cause:
                    queue.complain(name, cause, sure=True)
                if blameless:
                    queue.excuse(name)

    async def end(self, trial_id: str, outcome: TrialOutcome) -> None:
        """Record how a trial ended."""
        line, trial = self._lines.of(trial_id), self._state.trials.get(trial_id)
        if line.outcome is not None:
            return
        if trial is not None and outcome.epochs < trial.epochs:  # an error after epochs that were reported
            outcome = self._lines.unfinished(trial_id, outcome.verdict, outcome.detail)
        seconds, totals = (trial.running_seconds(self._log.now()), trial.totals) if trial is not None else (0.0, {})
        ended = {"trial": trial_id, "outcome": asdict(outcome), "seconds": seconds, "totals": totals}
        if not self._log.write(events.Ended, **ended):  # no room on the disk: a later driver goes on with the trial
            return
        self._queue.finish(trial_id)
        self._queue.take_back(trial_id)  # queued again if its gang was taken for dead before
        line.outcome = outcome
        self._lines.tell_tune(trial_id)
        await self._notify()

    async def confirmed(
        self, trial_id: str, values: list[float], beside: Any = (), *, failure: str = "", refused: str = ""
    ) -> None:
        """Record what a trial was measured at again, one FID per set of latents; or why not; why it cannot win."""
        self._confirmations.over(trial_id, failure)
        if not self._confirmations.done(trial_id):
            found = {} if refused else {"values": list(values), "beside": list(beside)}
            self._log.write(events.Confirmed, trial=trial_id, **{"values": [], **found}, refused=refused)
        await self._notify()

    async def beat(self, rank: Rank) -> None:
        """A rank has got on, or has started."""
        self._pulses.beat(rank)

    async def hung(self, limit_s: float | None) -> tuple[list[int], list[Rank]]:
        """The gangs that hang, and the ranks that were heard of, of all gangs; see `Pulses`. A sign of the driver."""
        self._driver.heard()
        return self._pulses.hung({*self._queue.gangs, *self._confirmations.gangs}, limit_s), self._pulses.all_ranks()

    async def _look_for_driver(self) -> None:
        if self._driver.is_gone:
            await self.close(StopReason.INTERRUPTED)

    def _down(self, gang: int, *, left: bool = False) -> None:
        if gang in self._state.gangs:
            self._log.write(events.GangDown, gang=gang, left=left)

    def _ending(self, line: Line) -> StopReason | Failure | None:
        return line.stopped or (StopReason.SWEEP_FAILED if self._log.full else None)

    async def _take_from(self, gang: int) -> None:
        """Queue again what `gang` holds: it has died, or has come back from the dead."""
        for trial_id in self._queue.held_by(gang):
            await self._put_back(trial_id, "its workers died")
        self._confirmations.gang_died(gang)
        await self._notify()

    async def _pause(self, trial_id: str) -> None:
        """A trial's gang has left it, or has died, when it had to pause; or it was promoted at that very moment."""
        line = self._lines.of(trial_id)
        promoted = not line.pausing
        if self._log.write(events.Paused, trial=trial_id, epoch=self._state.trials[trial_id].epochs):
            line.pausing = False
            self._queue.finish(trial_id)
            if promoted:
                await self.promote(trial_id)
            await self._notify()

    async def _put_back(self, trial_id: str, why: str, *, counts: bool = True) -> None:
        """Queue a trial again that a gang holds, or end it where it has to stop or was tried too often."""
        line, cause = self._lines.of(trial_id), self._queue.complaint(trial_id)
        if (stopped := self._ending(line)) is not None:
            await self.end(trial_id, self._lines.unfinished(trial_id, stopped))
        elif line.pausing and not self._keeps_rungs:  # else it waits when its checkpoint there is kept
            await self._pause(trial_id)
        elif (too_often := self._queue.given_up(trial_id, counts=counts)) is not None:
            await self.end(trial_id, self._lines.unfinished(trial_id, Failure.LOST, too_often))
        else:
            known = {"why": f"{why}: {cause}" if cause else why, "attempts": self._queue.attempts(trial_id)}
            self._log.write(events.Interrupted, trial=trial_id, **known)
            self._queue.put_back(trial_id)

    @property
    def _over(self) -> bool:
        """Whether the gangs have to exit."""
        return bool(self._log.full) or (self._state.halting is not None and self._state.halting.gangs_exit)

    def _has_work_or_end(self) -> bool:
        return self._over or bool(self._confirmations) or self._may_train

    @property
    def _may_train(self) -> bool:
        return bool(self._queue) and (not self._state.halting or self._repeating.is_next)  # at the end, repeats alone

    async def _notify(self) -> None:
        await self._room.wake(None if self._over else self._queue.waiting + self._confirmations.waiting)
