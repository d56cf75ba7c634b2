"""The stopper: checks inside Tune's loop whether the sweep has to end."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ray import tune

from orchestrator.plan.budgets import Budgets
from orchestrator.results.records import lowest_objective
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.disk_watch import DiskWatch
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.recorder import Recorder

log = logging.getLogger(__name__)

_WITHOUT_CONFIRMING = (SweepStatus.INTERRUPTED, SweepStatus.FAILED)  # the best trials are not measured again


class SweepStopper(tune.Stopper):
    """Ends the sweep when a budget is reached, the user interrupts, or no gang is left.

    Args:
        broker: gets the stop at once, so that the trials end while Tune still shuts down. After a budget the gangs stay
            up: they measure the best trials again.
        gangs: the sweep's gangs.
        recorder: knows the sweep's state; its failure ends the sweep too.
        disk: so does a full disk.
        clock: returns the driver's clock, seconds since 1970; see `orchestrator.results.clock`.

    Attributes:
        status: how the sweep ended; RUNNING until then.
        interrupted: set it to end the sweep.
    """

    def __init__(
        self,
        broker: BrokerClient,
        gangs: Sequence[Gang],
        recorder: Recorder,
        disk: DiskWatch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.status = SweepStatus.RUNNING
        self.interrupted = threading.Event()
        self._broker, self._gangs, self._recorder, self._disk, self._clock = broker, gangs, recorder, disk, clock
        self._known_dead: set[Gang] = set()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stops one trial."""
        return False

    def stop_all(self) -> bool:
        """Whether the sweep has to end; Tune calls this in every iteration of its loop."""
        self._report_dead_gangs()
        if self.status is SweepStatus.RUNNING and (status := self._find_reason()) is not None:
            self.status = status
            (self._broker.close if status in _WITHOUT_CONFIRMING else self._broker.halt)(status.trials_end_as)
        return self.status is not SweepStatus.RUNNING

    def may_wait(self) -> bool:
        """Whether waiting for gangs makes sense: one is up, nobody has interrupted, recorder and disk work."""
        self._report_dead_gangs()
        works = self._recorder.error is None and not self._disk.look()
        return not self.interrupted.is_set() and works and self._any_gang_left()

    def may_confirm(self) -> bool:
        """Whether the sweep has ended in a way after which its best trials are measured again."""
        return self.status not in _WITHOUT_CONFIRMING

    def may_repeat(self) -> bool:
        """Whether the best settings may be trained again by now. A budget that is used up ends that too; the target FID
        does not, which is of the search.
        """
        if not self.may_wait() or self.status not in (SweepStatus.RUNNING, SweepStatus.TARGET_REACHED):
            return False
        if (reached := self._budget_reached(objective=None)) is not None:
            self.status = reached
            self._broker.halt(reached.trials_end_as)
        return reached is None

    def finish(self) -> SweepStatus:
        """How the sweep ended; to be called after Tune's loop and after the best were measured again."""
        if self.status is SweepStatus.RUNNING:
            self.status = SweepStatus.INTERRUPTED if self.interrupted.is_set() else SweepStatus.FINISHED
        if self._disk.line and self.status is not SweepStatus.INTERRUPTED:
            self.status = SweepStatus.FAILED
        return self.status

    def _report_dead_gangs(self) -> None:
        for gang in self._gangs:
            if gang.error is not None and gang not in self._known_dead:
                self._known_dead.add(gang)
                log.error("%s ended: %s", gang.name, gang.error)
                self._broker.abandon(gang.number)

    def _any_gang_left(self) -> bool:
        return any(gang.is_alive() for gang in self._gangs)

    def _find_reason(self) -> SweepStatus | None:
        if self.interrupted.is_set():
            return SweepStatus.INTERRUPTED
        if self._disk.look():
            return SweepStatus.FAILED
        state = self._recorder.state
        # Of 10,000 trials that takes 4 ms, and Tune asks in every turn.
        lowest = None if state.budgets.get("target_fid") is None else lowest_objective(list(state.trials.values()))
        if (reached := self._budget_reached(lowest)) is not None:
            return reached
        if self._recorder.error is not None or not self._any_gang_left():
            return SweepStatus.FAILED
        return None

    def _budget_reached(self, objective: float | None) -> SweepStatus | None:
        state, now = self._recorder.state, self._clock()
        return Budgets(**state.budgets).reached(
            seconds=state.seconds(now),
            gpu_hours=state.gpu_hours(now),
            cost=state.cost(now),
            objective=objective,
            name=state.plan.objectives[0],
        )

    def __reduce__(self) -> Any:
        # Tune pickles its run config for a later restore; the stopper belongs to this process.
        return (tune.stopper.NoopStopper, ())
