"""What the broker tells the recorder."""

from dataclasses import dataclass
from typing import Any

from trainers.run_report import EpochReport, Outcome


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
