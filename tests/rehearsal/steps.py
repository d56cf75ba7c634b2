"""What a rehearsal consists of: parts that have a stage each, and steps on it that are tried and printed in order."""

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rehearsal.photographs import Photographs

Say = Callable[[str], None]
Step = Callable[[Any], str]  # does and looks at one thing on a stage; returns what was seen, raises where it is wrong


class StepError(Exception):
    """Something is not as it has to be."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A story with a stage of its own.

    Attributes:
        name: by which it is asked for.
        about: what it shows, for people.
        cannot: what it cannot show.
        stage: makes the stage below a folder, and ends all of it.
        steps: in order; each builds on those before it, and is called what its function is called.
    """

    name: str
    about: str
    cannot: str
    stage: Callable[[Path, Photographs], AbstractContextManager[Any]]
    steps: Sequence[Step]


def check(holds: bool, otherwise: str) -> None:
    """Raise a `StepError` with a text unless something holds."""
    if not holds:
        raise StepError(otherwise)


def rehearse(part: Part, folder: Path, photographs: Photographs, say: Say) -> int:
    """Try a part's steps, and print a line for each; those after one that fails are not tried.

    Returns:
        How many failed, 1 at most.
    """
    say(f"\n{part.name}: {part.about}")
    try:
        with part.stage(folder, photographs) as stage:
            for number, step in enumerate(part.steps):
                if not _tried(step, stage, say):
                    for other in part.steps[number + 1 :]:
                        say(f"  {'not tried':<18} {_title(other)}")
                    return 1
    except Exception as error:  # the stage cannot be made, or something of it cannot be ended
        say(f"  {'FAILED':<18} the stage itself: {_line(error)}")
        return 1
    say(f"  {'not shown':<18} {part.cannot}")
    return 0


def _tried(step: Step, stage: Any, say: Say) -> bool:
    started = time.monotonic()
    try:
        seen, status = step(stage), "ok"
    except Exception as error:
        seen, status = _line(error), "FAILED"
    say(f"  {status:<9} {time.monotonic() - started:5.1f} s  {_title(step)}: {seen}")
    return status == "ok"


def _title(step: Step) -> str:
    return step.__name__.replace("_", " ")


def _line(error: Exception) -> str:
    """An error in one line; its traceback goes to stderr."""
    traceback.print_exception(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 400 else f"{text[:100]} ... {text[-300:]}"
