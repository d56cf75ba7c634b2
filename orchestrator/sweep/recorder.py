"""The recorder: one thread that passes the broker's events on to all sinks."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from orchestrator.results.records import TrialRecord
from orchestrator.results.sinks import Sink
from orchestrator.results.verdict import Failure, State, StopReason, TrialOutcome
from orchestrator.space.objectives import costs
from orchestrator.space.space import Space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Confirmed, Ended, Event, GangUp, Progressed, Started
from trainers.errors import UserError

log = logging.getLogger(__name__)


class Recorder(threading.Thread):
    """Polls the broker until `close`.

    Args:
        broker: the source of the events.
        space: resolves a trial's config.
        sinks: called in this order for every event.
        devices: number of devices that a trial holds, see `Resources.devices`.

    Attributes:
        trials: all trials that have started, by id.
        gangs: numbers of the gangs whose ranks have started.
        error: the exception that ended the recording, None without one.
    """

    def __init__(self, broker: BrokerClient, space: Space, sinks: Sequence[Sink], devices: float = 1.0) -> None:
        super().__init__(name="recorder", daemon=True)
        self.trials: dict[str, TrialRecord] = {}
        self.gangs: set[int] = set()
        self.error: BaseException | None = None
        self._broker, self._space, self._sinks, self._devices = broker, space, sinks, devices
        self._closing = threading.Event()

    def run(self) -> None:
        """Pass events on until `close`, then those that are left."""
        try:
            while True:
                closing = self._closing.is_set()
                events: list[Event] = self._broker.events(0.0 if closing else 0.5)
                for event in events:
                    self._dispatch(event)
                if closing and not events:
                    return
        except BaseException as error:
            log.exception("recording stopped")
            self.error = error

    def close(self, verdict: StopReason | Failure) -> None:
        """Record the events that are left, then end; trials that are still open end with `verdict`."""
        self._closing.set()
        self.join()
        if self.error is None:
            for trial in self.trials.values():
                if trial.state is State.RUNNING:
                    outcome = TrialOutcome(
                        verdict=verdict, epochs=trial.epochs, objective=trial.objective, best_epoch=trial.best_epoch
                    )
                    self._dispatch(Ended(trial.trial_id, outcome, time.time() - trial.started))

    def _new_record(self, trial_id: str, params: dict[str, Any], started: float) -> TrialRecord:
        try:
            config = self._space.resolve(params)
        except UserError as error:  # its gang meets the same error, which becomes the trial's verdict
            log.warning("trial %s: %s", trial_id, error)
            return TrialRecord(trial_id, params, 0, started)
        return TrialRecord(trial_id, params, config.schedule.epochs, started, n_fake=config.fid.n_fake, config=config)

    def _dispatch(self, event: Event) -> None:
        match event:
            case GangUp(gang):
                self.gangs.add(gang)
            case Started(trial_id, params, _, first_leased):
                if trial_id not in self.trials:
                    self.trials[trial_id] = self._new_record(trial_id, params, first_leased)
                for sink in self._sinks:
                    sink.started(self.trials[trial_id])
            case Progressed(trial_id, report):
                self.trials[trial_id].progress(report)
                for sink in self._sinks:
                    sink.progressed(self.trials[trial_id], report)
            case Ended(trial_id, outcome, seconds):
                trial = self.trials[trial_id]
                trial.end(outcome, seconds)
                if trial.config is not None:
                    trial.costs = costs(self._space.objectives, trial.config, trial.seconds * self._devices)
                for sink in self._sinks:
                    sink.ended(self.trials[trial_id])
            case Confirmed(trial_id, values, refused):
                self.trials[trial_id].confirmed, self.trials[trial_id].refused = list(values), refused
                for sink in self._sinks:
                    sink.confirmed(self.trials[trial_id])
