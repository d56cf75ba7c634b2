"""How a sweep stands, where its driver may have died without a word."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.clock import driver_clock, machine
from orchestrator.results.driver_lock import driver_lives, last_beat
from orchestrator.results.events import Closed
from orchestrator.results.repeats import is_repeat, repeats_text
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import StopReason, SweepStatus
from trainers.errors import UserError

SILENT_S = 60.0  # a driver on another host is dead after so long without a heartbeat
WATCH_S = 5.0  # and one whose heartbeat changes within this time lives, whatever the clocks of the hosts say
LOOK_S = 0.25
_ENDS: dict[str, str] = {
    StopReason.OUT_OF_TIME: "its time budget is used up",
    StopReason.OUT_OF_GPU_HOURS: "its GPU hours are used up",
    StopReason.OUT_OF_MONEY: "its money is used up",
    StopReason.TARGET_REACHED: "its target is reached",
    StopReason.INTERRUPTED: "it was interrupted",
    StopReason.SWEEP_FAILED: "it has failed",
    StopReason.OUTRANKED: "all its trials are over",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a sweep stands.

    Attributes:
        status: in one word.
        detail: a sentence for people, also on how a sweep that runs ends; empty where the status says it all.
        died: when its driver died, seconds since 1970; None where it lives, or wrote its end, or was on another host:
            from here that cannot be told from one whose heartbeat is held up.
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
    if state.status is not SweepStatus.RUNNING:
        return Standing(status=state.status, detail=state.detail)
    if driver_lives(directory) or _beats_elsewhere(directory, state):
        return Standing(status=state.status, detail=_ending(state))
    if not state.sessions:
        return Standing(status=SweepStatus.INTERRUPTED, detail="it was never started")
    died = _last_known(directory, state)
    if (host := _other_host(state)) is not None:
        return Standing(status=SweepStatus.INTERRUPTED, detail=f"no sign of its driver on {host} since {_time(died)}")
    return Standing(status=SweepStatus.INTERRUPTED, detail=_died_at(died), died=died)


def _ending(state: SweepState) -> str:
    """What a living driver does at the end of its sweep, and why it ends; empty before."""
    if state.halting is None:
        return ""
    if any(map(is_repeat, list(state.holders))) and not state.halting.gangs_exit:
        doing = f"the best settings are trained again, {repeats_text(state)}"
    elif state.holders:
        doing = "its trials stop"
    else:
        doing = "its gangs exit" if state.halting.gangs_exit else "the best trials are measured again"
    return f"ending, {_ENDS.get(state.halting.reason, state.halting.reason)}: {doing}"


def check_not_elsewhere(directory: Path, state: SweepState) -> None:
    """Check that no driver on another host has the sweep: not every shared file system passes locks on.

    Where there was one that did not write its end, its heartbeat is watched for some seconds.

    Raises:
        UserError: one lives, or did less than `SILENT_S` ago.
    """
    if (host := _other_host(state)) is None:
        return
    before, deadline = last_beat(directory), time.monotonic() + WATCH_S
    while not (lives := _beats_elsewhere(directory, state)) and time.monotonic() < deadline:
        if lives := last_beat(directory) != before:
            break
        time.sleep(LOOK_S)
    if lives:
        last = _time(_last_known(directory, state))
        raise UserError(
            f"sweep {directory.name} is running already, on {host}, which gave a sign of life at {last}: "
            f"`gan-sweep stop {directory.name}` ends it there; if that host is dead, try again in {SILENT_S:.0f} s"
        )


def _other_host(state: SweepState) -> str | None:
    """Where the driver is that has not written its end, where that is not this host."""
    if not state.is_open:
        return None
    opened = state.sessions[-1].opened
    here = opened.machine == machine() if opened.machine else opened.host == socket.gethostname()
    return None if here else opened.host


def _beats_elsewhere(directory: Path, state: SweepState) -> bool:
    """Whether a driver on another host gives its heartbeat, by the clocks."""
    beat = last_beat(directory) if _other_host(state) is not None else None
    return beat is not None and abs(time.time() - beat) < SILENT_S  # one of the future was written by another clock


def last_sign(directory: Path, state: SweepState) -> float:
    """Until when a sweep's time counts: now while its driver lives, or has written its end; else its last sign of life.

    While it lives here that is by its own clock, which nobody sets.
    """
    if not state.is_open:
        return time.time()
    return driver_clock(state.sessions[-1].opened) if driver_lives(directory) else _last_known(directory, state)


def death_of(directory: Path, state: SweepState, *, taken_over: bool = False) -> Closed | None:
    """The end that a dead driver could not write; None where it did. For whoever holds the driver's lock by now.

    Args:
        directory: of the sweep.
        state: by its log.
        taken_over: another driver goes on, after `check_not_elsewhere`. Nobody else may write the end of a driver on
            another host: if it lives, nothing that it writes would count any more.
    """
    if not state.is_open or (_other_host(state) is not None and not taken_over):
        return None
    died = _last_known(directory, state)
    return Closed(
        at=time.time(), session=state.session, status=SweepStatus.INTERRUPTED, ended=died, detail=_died_at(died)
    )


def _last_known(directory: Path, state: SweepState) -> float:
    """When the last driver lived for certain: by its heartbeat; where that is not known, by its log and histories."""
    beat = last_beat(directory)
    opened = state.sessions[-1].opened.at  # an earlier driver's beat may be older
    return max(state.newest if beat is None else beat, opened)


def _died_at(at: float) -> str:
    return f"its driver died at {_time(at)}"


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
