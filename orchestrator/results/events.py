"""What happens to a sweep, as it is written to ``events.jsonl``: one record per line.

A trial's epochs are not in here: they are lines of its own ``history.jsonl``.
"""

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.results.lines import LineWriter
from trainers.errors import UserError, first_problem, shortened

FORMAT = 1  # of plan.json, events.jsonl and history.jsonl; a version that cannot read older ones would be a defect


class DamagedError(UserError):
    """Something that is no record of ours."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Attributes:
    at: wall clock, seconds since 1970.
    session: number of the driver that the sweep had then, from 1. What processes of a dead driver still write after a
        new one has opened the sweep does not count.
    """

    at: float
    session: int


@dataclass(frozen=True, kw_only=True)
class Opened(Event):
    """A driver runs the sweep from now on.

    Attributes:
        pid: its process.
        process_started: when that process was started, seconds since 1970: process ids are used again.
        host: where it runs.
        version: of gan-sweep.
        trials: how many are planned.
        budgets: limits as in `orchestrator.plan.budgets.Budgets`.
        monotonic: seconds since the host was started, `at` that moment; None in logs of older versions.
        machine: what tells hosts apart, where their names do not; empty in logs of older versions.
    """

    pid: int
    process_started: float
    host: str
    version: str
    trials: int
    budgets: dict[str, float | None] = field(default_factory=dict)
    monotonic: float | None = None
    machine: str = ""


@dataclass(frozen=True, kw_only=True)
class Changed(Event):
    """The number of planned trials or the budgets are others from now on; None: as before.

    Attributes:
        trials: planned from now on.
        budgets: those that change.
        key: of the request that asked for it; empty in older versions.
    """

    trials: int | None = None
    budgets: dict[str, float | None] | None = None
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class NotDone(Event):
    """What another terminal had asked for was not done.

    Attributes:
        key: of its request.
        why: a sentence for whoever asked.
    """

    key: str
    why: str


@dataclass(frozen=True, kw_only=True)
class GangUp(Event):
    """The ranks of a gang are up; it holds their devices from now on. Written again where it comes back with others.

    Attributes:
        gang: its number.
        workers: ranks that it has, `of` those planned; older versions wrote neither, and a gang always had all.
    """

    gang: int
    workers: int = 1
    of: int = 1


@dataclass(frozen=True, kw_only=True)
class GangDown(Event):
    """A gang has no ranks any more, until it is up again: it holds no devices from now on.

    Attributes:
        gang: its number.
        left: whether it left because it was asked to, such as by the notice that its machine is taken back.
    """

    gang: int
    left: bool = False


@dataclass(frozen=True, kw_only=True)
class Submitted(Event):
    """The search has proposed a trial, which now waits for a gang.

    Attributes:
        trial: its number, four digits.
        params: its searched values.
        epochs: planned; 0 where the values are invalid, which ends the trial when a gang takes it.
        n_fake: generated images of the objective's protocol.
        costs: values of objectives that are known beforehand.
        repeats: the trial whose setting it has, with another seed; empty for a trial of the search.
    """

    trial: str
    params: dict[str, Any]
    epochs: int
    n_fake: int
    costs: dict[str, float] = field(default_factory=dict)
    repeats: str = ""


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """A gang has taken a trial.

    Attributes:
        trial: its number.
        gang: the gang's number.
        attempt: from 1; attempts that made progress do not count.
    """

    trial: str
    gang: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Saved(Event):
    """A checkpoint of a trial is on disk that was written inside an epoch; of the others its history tells."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class Interrupted(Event):
    """The gang of a trial has died, or has left it: the trial waits again, first in line.

    Attributes:
        trial: its number.
        why: in a few words.
        attempts: how many in a row have made no progress.
    """

    trial: str
    why: str
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Pausing(Event):
    """A trial has to wait at a rung of the scheduler; its gang is told at its next report."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """A trial waits at a rung of the scheduler, and its gang takes another.

    Attributes:
        trial: its number.
        epoch: its newest, which its checkpoint has too; 0 in logs of older versions.
    """

    trial: str
    epoch: int = 0


@dataclass(frozen=True, kw_only=True)
class Exploited(Event):
    """A trial that waits goes on as a copy of a better one (scheduler ``pbt``); written before it is promoted.

    Attributes:
        trial: its number.
        epoch: of the other's checkpoint; the settings hold from the next one on.
        source: the other's number.
        params: its searched values from then on.
    """

    trial: str
    epoch: int
    source: str
    params: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Promoted(Event):
    """A paused trial is among the best at its rung, and waits for a gang; one that had to pause goes on."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class Stopping(Event):
    """A trial has to end; its gang is told at its next report.

    Attributes:
        trial: its number.
        reason: a `StopReason` or `Failure`.
    """

    trial: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Halting(Event):
    """The sweep ends: no trial starts any more.

    Attributes:
        reason: a `StopReason`.
        gangs_exit: whether the gangs exit at once; if not, they measure the best trials again.
    """

    reason: str
    gangs_exit: bool


@dataclass(frozen=True, kw_only=True)
class Ended(Event):
    """A trial is over.

    Attributes:
        trial: its number.
        outcome: a `TrialOutcome`.
        seconds: from its first lease to its end, without the time in which the sweep had no driver.
        totals: what its epochs add up to, so that nobody has to read all of them: see `TrialRecord.totals`.
    """

    trial: str
    outcome: dict[str, Any]
    seconds: float
    totals: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Confirmed(Event):
    """A trial's best checkpoint was measured again.

    Attributes:
        trial: its number.
        values: FIDs of the objective's protocol, one per set of latents.
        refused: why it cannot win: on fresh latents its fakes hardly vary or are not finite; empty where it can.
        beside: what was measured beside each FID, by protocol; empty in logs of older versions.
    """

    trial: str
    values: list[float]
    refused: str = ""
    beside: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Closed(Event):
    """The driver has ended, or has died. Trials that still ran are cut short by it.

    Attributes:
        status: how the sweep stands, a `SweepStatus`.
        ended: wall clock of the driver's end: earlier than `at` where its death was noticed later.
        detail: a sentence for people; empty where the status says it all.
    """

    status: str
    ended: float
    detail: str = ""


_NAMES: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (
        Opened,
        Changed,
        NotDone,
        GangUp,
        GangDown,
        Submitted,
        Started,
        Saved,
        Interrupted,
        Pausing,
        Paused,
        Exploited,
        Promoted,
        Stopping,
        Halting,
        Ended,
        Confirmed,
        Closed,
    )
}

_CHECKERS: dict[type[Event], TypeAdapter[Event]] = {kind: TypeAdapter(kind) for kind in _NAMES.values()}


def to_json(event: Event) -> dict[str, Any]:
    """An event as a line of ``events.jsonl``."""
    return {"v": FORMAT, "event": type(event).__name__.lower(), **asdict(event)}


def write(log: LineWriter, event: Event) -> None:
    """Add an event to ``events.jsonl``. Where Optuna, which syncs its journal, may hear of it, it is synced before.

    Raises:
        OSError: it cannot be written; then nothing of it is in the file.
    """
    log.append(to_json(event), sync=isinstance(event, Ended | Confirmed | Closed))


def from_json(values: dict[str, Any]) -> Event:
    """The event of a line.

    Raises:
        DamagedError: it is damaged.
        UserError: a newer version wrote it.
    """
    check_format(values.get("v"), "events.jsonl")
    kind = _NAMES.get(str(values.get("event")))
    if kind is None:
        raise DamagedError(f"events.jsonl is damaged: no event is called {values.get('event')!r}")
    for key in ("trial", "source"):  # it becomes a folder's name
        if not re.fullmatch(r"\d{4,9}(s[1-9]\d{0,3})?", str(values.get(key, "0000"))):
            raise DamagedError(f"events.jsonl is damaged: no trial is called {shortened(values[key])}")
    known = {one.name for one in fields(kind)}
    try:
        return _CHECKERS[kind].validate_python({name: value for name, value in values.items() if name in known})
    except ValidationError as error:
        where, what, _ = first_problem(error)
        raise DamagedError(f"events.jsonl is damaged: {values['event']}: {where}: {what}") from None


def check_format(found: Any, where: str) -> None:
    """Check that this version can read a sweep's file.

    Raises:
        DamagedError: it does not say its format.
        UserError: a newer version wrote it.
    """
    if not isinstance(found, int):
        raise DamagedError(f"{where} is damaged: it does not say its format")
    if found > FORMAT:
        raise UserError(
            f"{where} was written by a newer gan-sweep: it has format {found}, this version reads up to {FORMAT}; "
            "install the newer one to open this sweep"
        )
