"""How a sweep stands, where its driver may have died without a word."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.driver_lock import driver_lives, last_beat
from orchestrator.results.events import Closed
from orchestrator.results.places import LOCK_FILE
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import SweepStatus

SILENT_S = 60.0  # a driver on another host is dead after so long without a heartbeat


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a sweep stands.

    Attributes:
        status: in one word.
        detail: a sentence for people; empty where the status says it all.
        died: when its driver died, seconds since 1970; None where it lives, or wrote its end.
    """

    status: SweepStatus
    detail: str = ""
    died: float | None = None


def standing_of(directory: Path, state: SweepState) -> Standing:
    """How a sweep stands.

    Args:
        directory: of the sweep.
        state: by its log.
    """
    if state.status is not SweepStatus.RUNNING or driver_lives(directory) or _lives_elsewhere(directory, state):
        return Standing(status=state.status, detail=state.detail)
    died = last_beat(directory)
    return Standing(status=SweepStatus.INTERRUPTED, detail=_died_at(died), died=died)


def _lives_elsewhere(directory: Path, state: SweepState) -> bool:
    """Whether a driver on another host gives its heartbeat: not every shared file system passes locks on."""
    if not state.is_open or state.sessions[-1].opened.host == socket.gethostname():
        return False
    if not (directory / LOCK_FILE).exists():
        return False
    return time.time() - last_beat(directory) < SILENT_S


def last_sign(directory: Path, state: SweepState) -> float:
    """Until when a sweep's time counts: now where its driver has written its end, else its last sign of life."""
    return last_beat(directory) if state.is_open else time.time()


def death_of(directory: Path, state: SweepState) -> Closed | None:
    """The end that a dead driver could not write; None where it did. For whoever holds the driver's lock by now."""
    if not state.is_open:
        return None
    died = max(last_beat(directory), state.sessions[-1].opened.at)
    return Closed(
        at=time.time(), session=state.session, status=SweepStatus.INTERRUPTED, ended=died, detail=_died_at(died)
    )


def _died_at(at: float) -> str:
    return f"its driver died at {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}"
