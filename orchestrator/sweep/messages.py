"""The broker's messages to gangs and to the recorder."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from orchestrator.results.verdict import TrialOutcome
from trainers.run_report import EpochReport


class NoLease(Enum):
    """The broker's answer when it has no work for a gang."""

    ASK_AGAIN = "ask_again"  # nothing to do yet
    SWEEP_OVER = "sweep_over"


@dataclass(frozen=True)
class Lease:
    """A trial for a gang to train: its id and its searched values."""

    trial_id: str
    params: dict[str, Any]


@dataclass(frozen=True)
class ConfirmLease:
    """A finished trial for a gang to measure again: its best checkpoint, on `seeds` sets of fresh latents."""

    trial_id: str
    seeds: int


@dataclass(frozen=True)
class GangUp:
    """The ranks of a gang are up, for the first time."""

    gang: int


@dataclass(frozen=True)
class Started:
    """A gang has taken a trial.

    Attributes:
        trial_id: the trial.
        params: its searched values.
        attempt: number of the attempt, from 1.
        first_leased: wall clock of the first attempt, seconds since 1970.
    """

    trial_id: str
    params: dict[str, Any]
    attempt: int
    first_leased: float


@dataclass(frozen=True)
class Progressed:
    """A trial has finished an epoch."""

    trial_id: str
    report: EpochReport


@dataclass(frozen=True)
class Ended:
    """A trial is over, `seconds` after its first lease."""

    trial_id: str
    outcome: TrialOutcome
    seconds: float


@dataclass(frozen=True)
class Confirmed:
    """A trial's best checkpoint was measured again.

    Attributes:
        trial_id: the trial.
        values: FIDs of the objective's protocol, one per set of latents.
        refused: why it cannot win: on fresh latents its fakes hardly vary or are not finite; empty where it can.
    """

    trial_id: str
    values: tuple[float, ...]
    refused: str = ""


Event = GangUp | Started | Progressed | Ended | Confirmed
