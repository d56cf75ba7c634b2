"""Does what other terminals ask a running driver for."""

import logging
import threading
import time
from collections.abc import Callable

from orchestrator.results.events import Changed, NotDone
from orchestrator.results.requests import (
    AddTrial,
    ChangeBudget,
    NotUnderstood,
    Request,
    RequestReader,
    StopSweep,
    StopTrial,
)
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.sweep.broker_client import BrokerClient
from trainers.errors import UserError, first_line

log = logging.getLogger(__name__)


class Desk:
    """Answers requests; called by the recorder's thread.

    Args:
        store: of the sweep.
        session: number of this driver.
        state: returns how the sweep stands.
        broker: ends trials.
        searcher: takes settings.
        stop: ends the sweep; called with whether at once.
        say: shows a line to the user.

    Attributes:
        planned: how many trials, by now; from the sweep's opening to its end the desk alone changes that.
    """

    def __init__(
        self,
        store: ResultsStore,
        session: int,
        state: Callable[[], SweepState],
        broker: BrokerClient,
        searcher: OptunaSearcher,
        stop: Callable[[bool], None],
        say: Callable[[str], None],
    ) -> None:
        self._store, self._session, self._state = store, session, state
        self._broker, self._searcher, self._stop, self._say = broker, searcher, stop, say
        self._requests = RequestReader(store.directory, session)
        self.planned, self._trouble = state().planned, ""
        self._open, self._lock = True, threading.Lock()

    def answer(self) -> None:
        """Do what is asked for by now."""
        try:
            requests = self._requests.read()
        except UserError as error:  # a damaged line: nothing after it can be read either
            if str(error) != self._trouble:
                log.warning("requests cannot be read: %s", error)
                self._trouble = str(error)
            return
        for request in requests:
            log.info("asked for: %s", request)
            try:
                self._do(request)
            except Exception as error:  # the study's storage or the disk is away: the sweep itself may live on
                log.exception("not done: %s", request)
                self._say(f"what another terminal has asked for was not done: {first_line(error)} (more in sweep.log)")
                self._not_done(request, first_line(error))

    def _do(self, request: Request) -> None:
        match request:
            case StopSweep(now=now):
                self._stop(now)
            case NotUnderstood(why=why):
                self._not_done(request, why)
            case StopTrial(trial=trial):
                self._broker.stop(trial, StopReason.STOPPED_BY_USER)
            case _:
                with self._lock:
                    self._plan(request)

    def nothing_left(self) -> bool:
        """Whether all trials are over by now; then none is added any more. For the driver's own thread."""
        with self._lock:
            self._open = self._searcher.has_more()
        return not self._open

    def _plan(self, request: Request) -> None:
        match request:
            case _ if not self._open or self._state().halting is not None:
                self._not_done(request, "it comes too late: the sweep ends")
            case AddTrial(params=params):
                self._searcher.add(params)
                self._change(request, trials=self.planned + 1)
                self._say(f"a setting of your own comes next: {', '.join(f'{k}={v}' for k, v in params.items())}")
            case ChangeBudget(trials=trials, budgets=budgets):
                self._change(request, trials=trials, budgets=budgets)

    def _not_done(self, request: Request, why: str) -> None:
        """Tell whoever waits for it."""
        try:
            self._store.append(NotDone(at=time.time(), session=self._session, key=request.key, why=why))
        except OSError:
            log.exception("whoever has asked for %s is not told: %s", request, why)

    def _change(self, request: Request, *, trials: int | None, budgets: dict[str, float | None] | None = None) -> None:
        now, number = time.time(), self._session
        self._store.append(Changed(at=now, session=number, trials=trials, budgets=budgets or None, key=request.key))
        self.planned = trials or self.planned
