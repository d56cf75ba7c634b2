"""The broker's answers to gangs."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from orchestrator.results.exploits import Exploit


class NoLease(Enum):
    """The broker's answer when it has no work for a gang."""

    ASK_AGAIN = "ask_again"  # nothing to do yet
    SWEEP_OVER = "sweep_over"


class Hold(Enum):
    """The broker's answer to the report of a trial that does not end, but does not go on now either."""

    PAUSE = "pause"  # it waits at a rung of the scheduler, and its gang takes another


@dataclass(frozen=True)
class Rank:
    """A rank of a gang, as a process.

    Attributes:
        gang, rank: their numbers.
        pid: of the process.
        started: when it was started, in the kernel's ticks since boot: process ids are used again.
        node: Ray's id of its node.
        placement_group: Ray's id of the one that holds the gang's CPUs and GPUs; None where there is none.
        oom_kills: what `casualties.oom_kills` said there when the rank was heard of last.
    """

    gang: int
    rank: int
    pid: int
    started: int
    node: str
    placement_group: str | None = None
    oom_kills: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Lease:
    """A trial for `gang` to train: id, searched values, and whether a gang had it before, with its checkpoint.

    Where it has become a copy of another, `exploit` says of which one last, and has its searched values.
    """

    trial_id: str
    params: dict[str, Any]
    begun: bool = field(default=False, compare=False)
    gang: int = field(default=0, compare=False)
    exploit: Exploit | None = None


@dataclass(frozen=True)
class ConfirmLease:
    """A finished trial for a gang to measure again: its best checkpoint, on `seeds` sets of fresh latents."""

    trial_id: str
    seeds: int
