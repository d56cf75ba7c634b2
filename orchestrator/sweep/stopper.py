"""The watch: sees from within Tune's loop whether the sweep has to end."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ray import tune

from orchestrator.plan.budgets import Budgets
from orchestrator.results.records import best_trial
from orchestrator.sweep.broker import BrokerHandle
from orchestrator.sweep.gang import Gang
from orchestrator.sweep.recorder import Recorder
from trainers.run_report import Verdict

log = logging.getLogger(__name__)

_AT_ONCE = (Verdict.INTERRUPTED, Verdict.ERROR)  # nobody measures anything any more


class Watch(tune.Stopper):
    """Ends the sweep when a budget is reached, someone interrupts, or nobody is left to work.

    Args:
        broker: told as soon as there is a reason, so that the trials stop while Tune still winds down. A budget leaves
            the gangs up: they measure the best trials again.
        gangs: the sweep's gangs.
        recorder: knows trials and gangs; its failure ends the sweep too.
        budgets: of the sweep; its time starts now.
        gpus_per_gang: how many GPUs each gang holds.
        clock: seconds.

    Attributes:
        reason: why it ended the sweep, None while it has not.
        interrupted: set it to end the sweep.
        gpu_hours: what the gangs have held so far.
    """

    def __init__(
        self,
        broker: BrokerHandle,
        gangs: Sequence[Gang],
        recorder: Recorder,
        budgets: Budgets,
        gpus_per_gang: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason: Verdict | None = None
        self.interrupted = threading.Event()
        self.gpu_hours = 0.0
        self._broker, self._gangs, self._recorder, self._budgets = broker, gangs, recorder, budgets
        self._gpus_per_gang, self._clock = gpus_per_gang, clock
        self._mourned: set[Gang] = set()
        self._start = self._counted = clock()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stops one trial."""
        return False

    def stop_all(self) -> bool:
        """Tune asks this in every turn of its loop."""
        self._mourn()
        if self.reason is None and (reason := self._find_reason()) is not None:
            self.reason = reason
            (self._broker.close if reason in _AT_ONCE else self._broker.halt).remote(reason)
        return self.reason is not None

    def may_wait(self) -> bool:
        """Whether gangs can still be waited for: one is up, nobody interrupts, and what they say is recorded."""
        self._mourn()
        self._count_gpu_hours()
        return not self.interrupted.is_set() and self._recorder.error is None and self._anybody_left()

    def _mourn(self) -> None:
        for gang in self._gangs:
            if gang.error is not None and gang not in self._mourned:
                self._mourned.add(gang)
                log.error("%s ended: %s", gang.name, gang.error)
                self._broker.abandon.remote(gang.number)

    def _anybody_left(self) -> bool:
        return any(gang.is_alive() for gang in self._gangs)

    def _find_reason(self) -> Verdict | None:
        if self.interrupted.is_set():
            return Verdict.INTERRUPTED
        best = best_trial(list(self._recorder.trials.values()))
        reached = self._budgets.reached(
            seconds=self._clock() - self._start,
            gpu_hours=self._count_gpu_hours(),
            objective=best.objective if best else None,
        )
        if reached is not None:
            return reached
        if self._recorder.error is not None or not self._anybody_left():
            return Verdict.ERROR
        return None

    def _count_gpu_hours(self) -> float:
        """Add the time since the last turn for every gang that is up; one that still waits for its GPUs holds none."""
        now = self._clock()
        up = sum(gang.is_alive() and gang.number in self._recorder.gangs for gang in self._gangs)
        self.gpu_hours += self._gpus_per_gang * up * (now - self._counted) / 3600
        self._counted = now
        return self.gpu_hours

    def __reduce__(self) -> Any:
        # Tune pickles its run config for a restore from elsewhere; the watch belongs to this process.
        return (tune.stopper.NoopStopper, ())
