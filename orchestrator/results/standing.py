"""How a sweep stands, where its driver may have died without a word."""

import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.driver_lock import driver_lives, last_beat
from orchestrator.results.events import Closed
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import SweepStatus


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
    if state.status is not SweepStatus.RUNNING or driver_lives(directory):
        return Standing(status=state.status, detail=state.detail)
    died = last_beat(directory)
    return Standing(status=SweepStatus.INTERRUPTED, detail=_died_at(died), died=died)


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
