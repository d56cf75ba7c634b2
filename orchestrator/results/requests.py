"""What another terminal asks of a running driver: lines in the sweep's ``requests.jsonl``, answered by its log.

A file, because whoever can see the sweep's directory can ask, from whatever host.
"""

import logging
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.results.events import FORMAT, check_format
from orchestrator.results.lines import LineReader, LineWriter
from orchestrator.results.places import REQUESTS_FILE
from trainers.errors import UserError, problem_text

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """Attributes:
    session: number of the driver that is asked; another one does not answer.
    key: of this request alone, for `orchestrator.results.events.NotDone`.
    """

    session: int
    key: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, kw_only=True)
class StopSweep(Request):
    """End the sweep, as Ctrl-C does.

    Attributes:
        now: at once, as a second Ctrl-C does.
    """

    now: bool = False


@dataclass(frozen=True, kw_only=True)
class StopTrial(Request):
    """End a trial after its epoch; another takes its place."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class AddTrial(Request):
    """Try a setting next, besides those that are planned.

    Attributes:
        params: values of all keys that exist for them.
    """

    params: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ChangeBudget(Request):
    """Plan other numbers of trials, or other limits; see `orchestrator.results.events.Changed`."""

    trials: int | None = None
    budgets: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NotUnderstood(Request):
    """A line that asks for nothing that this version knows.

    Attributes:
        why: a sentence for whoever asked.
    """

    why: str


_KINDS: dict[str, type[Request]] = {
    "stop": StopSweep,
    "stop_trial": StopTrial,
    "add_trial": AddTrial,
    "budget": ChangeBudget,
}

_CHECKERS: dict[type[Request], TypeAdapter[Request]] = {kind: TypeAdapter(kind) for kind in _KINDS.values()}


def ask(directory: Path, request: Request) -> None:
    """Write a request for the driver of the sweep in `directory`.

    Raises:
        UserError: it cannot be written.
    """
    name = next(name for name, kind in _KINDS.items() if kind is type(request))
    file = directory / REQUESTS_FILE
    try:
        lines = LineWriter(file)
        try:
            lines.append({"v": FORMAT, "ask": name, **asdict(request)})
        finally:
            lines.close()
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from None


class RequestReader:
    """Reads the requests that a driver has not answered.

    Args:
        directory: of the sweep.
        session: number of the driver.
    """

    def __init__(self, directory: Path, session: int) -> None:
        self._lines, self._session = LineReader(directory / REQUESTS_FILE), session

    def read(self) -> list[Request]:
        """The new ones. One that cannot be understood is logged, and `NotUnderstood`: a sweep does not end for it."""
        found = []
        for line in self._lines.read():
            if line.get("session") != self._session:
                continue
            try:
                found.append(_request(line))
            except UserError as error:
                log.warning("not understood: %s", error)
                found.append(NotUnderstood(session=self._session, key=str(line.get("key")), why=str(error)))
        return found


def _request(line: dict[str, Any]) -> Request:
    check_format(line.get("v"), REQUESTS_FILE)
    kind = _KINDS.get(str(line.get("ask")))
    if kind is None:
        raise UserError(f"nobody can ask for {line.get('ask')!r}")
    known = {one.name for one in fields(kind)}
    try:
        return _CHECKERS[kind].validate_python({name: value for name, value in line.items() if name in known})
    except ValidationError as error:
        raise UserError(f"{line['ask']}: {problem_text(error)}") from None
