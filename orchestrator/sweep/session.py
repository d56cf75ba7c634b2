"""One driver's time with a sweep: the lock, and what it writes to the log when it comes and when it goes."""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import psutil

from orchestrator.results.clock import driver_clock, machine, since_start
from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.events import Closed, Opened
from orchestrator.results.places import ROOM_FILE
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.standing import check_not_elsewhere, death_of
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.pusher import Pusher

log = logging.getLogger(__name__)

ROOM_BYTES = 1 << 16  # kept for the end of the sweep, should the disk be full then


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep ended.

    Attributes:
        status: in one word.
        troubles: one line for each error of the sweep itself, the recorder or a gang.
        tracking: a sentence on what MLflow has not taken; empty where it has everything.
    """

    status: SweepStatus
    troubles: list[str]
    tracking: str = ""


class Session:
    """A driver's time with a sweep.

    Args:
        store: the sweep's directory, with its plan.

    Attributes:
        pusher: pushes the sweep to its home; None where that is here.
    """

    def __init__(self, store: ResultsStore) -> None:
        self._lock, self.pusher = DriverLock(store.directory), Pusher.of(store)
        self._store, self._room = store, store.directory / ROOM_FILE
        self._opened: Opened | None = None  # while it is open

    def open(self, *, trials: int, budgets: Mapping[str, float | None], changed: SavedPlan | None = None) -> SweepState:
        """Take the sweep over; returns how it stands then.

        The end that a driver before it could not write is written first.

        Args:
            trials: how many are planned from now on.
            budgets: limits, as in `orchestrator.plan.budgets.Budgets`.
            changed: the plan from now on; None: as before.

        Raises:
            UserError: another driver has it, here or on another host, its files are damaged, or its home refuses.
        """
        self._lock.acquire()
        try:
            if self.pusher is not None:
                self.pusher.check_free()
            state = self._store.read_state()
            check_not_elsewhere(self._store.directory, state)
            if changed is not None:
                self._store.write_plan(changed)
                state.plan = self._store.read_plan()
            if (death := death_of(self._store.directory, state, taken_over=True)) is not None:
                self._store.append(death)
                state.apply(death)
            self._lock.beat()
            self._room.write_bytes(os.urandom(ROOM_BYTES))
            opened = Opened(
                at=time.time(),
                session=state.session + 1,
                pid=os.getpid(),
                process_started=psutil.Process().create_time(),
                host=socket.gethostname(),
                version=version("gan-sweep"),
                trials=trials,
                budgets=dict(budgets),
                monotonic=since_start(),
                machine=machine(),
            )
            self._store.append(opened)
            state.apply(opened)
            if self.pusher is not None:
                self.pusher.begin(state)
            self._lock.keep_beating()
        except BaseException:
            self._lock.release()
            raise
        self._opened = opened
        return state

    def end(self, status: SweepStatus, detail: str = "") -> None:
        """Write how it ended, unless that is written; the sweep stays this driver's until `close`.

        Where the storage is away, or full beyond the room that was kept, that is left to a later driver, which finds
        the end missing, and writes it.
        """
        if self._opened is not None:
            now, number = driver_clock(self._opened), self._opened.session
            with _left_to_others():
                self._room.unlink(missing_ok=True)
                self._store.append(Closed(at=now, session=number, status=status, ended=now, detail=detail))
                self._opened = None

    def close(self) -> None:
        """Push what is left, and let go of the sweep."""
        with _left_to_others():
            self._room.unlink(missing_ok=True)
        if self.pusher is not None:
            self.pusher.close()
        self._lock.release()


@contextlib.contextmanager
def _left_to_others() -> Iterator[None]:
    try:
        yield
    except OSError:
        log.exception("the sweep's end cannot be written")
