"""What a check says, and what it is asked about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from trainers.errors import first_line
from trainers.masking import masked


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line.

    Attributes:
        name: of the check.
        level: how bad it is.
        text: what was found; secrets are masked.
        cure: what to do about it; empty where nothing is wrong.
    """

    name: str
    level: Level
    text: str
    cure: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", masked(self.text))
        object.__setattr__(self, "cure", masked(self.cure))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is looked at.

    Attributes:
        address: of a running Ray cluster; None: a sweep would start its own Ray here.
        data: folder of images, None: none.
        sweeps_dir: absolute; need not be there.
        tracking_uri: MLflow's, None: SQLite in the sweep's directory.
    """

    address: str | None = None
    data: Path | None = None
    sweeps_dir: Path
    tracking_uri: str | None = None

    @property
    def place(self) -> Path:
        """`sweeps_dir`, or the nearest folder above it that is there."""
        return next(place for place in (self.sweeps_dir, *self.sweeps_dir.parents) if os.path.lexists(place))


Check = Callable[[Asked], Iterator[Finding]]


def run_check(name: str, check: Check, asked: Asked) -> Iterator[Finding]:
    """What `check` finds; what it raises is one more line, failed, so that the other checks still run."""
    try:
        yield from check(asked)
    except Exception as error:
        text = f"the check itself failed: {first_line(error, with_type=True)}"
        yield Finding(name=name, level=Level.FAILED, text=text, cure="mend what it names, or report it as a bug")
