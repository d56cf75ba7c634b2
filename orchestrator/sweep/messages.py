"""What the broker says to gangs and to the recorder."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from trainers.run_report import EpochReport, Outcome


class Lull(Enum):
    """What a gang hears instead of a lease."""

    IDLE = "idle"  # nothing to do yet; ask again
    CLOSED = "closed"  # the sweep is over


@dataclass(frozen=True)
class Lease:
    """A trial for a gang: its id and its searched values."""

    trial_id: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Remeasure:
    """A finished trial for a gang: measure its best checkpoint on so many sets of fresh latents."""

    trial_id: str
    seeds: int


@dataclass(frozen=True)
class Joined:
    """The ranks of a gang are up, for the first time."""

    gang: int


@dataclass(frozen=True)
class Started:
    """A gang has taken a trial; `attempt` counts from 1."""

    trial_id: str
    params: dict[str, Any]
    attempt: int


@dataclass(frozen=True)
class Progressed:
    """A trial has finished an epoch."""

    trial_id: str
    report: EpochReport


@dataclass(frozen=True)
class Ended:
    """A trial is over."""

    trial_id: str
    outcome: Outcome


@dataclass(frozen=True)
class Confirmed:
    """A trial's best checkpoint was measured again: FIDs of the objective's protocol, one per set of latents."""

    trial_id: str
    values: tuple[float, ...]


Event = Joined | Started | Progressed | Ended | Confirmed
