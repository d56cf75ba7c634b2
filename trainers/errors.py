"""Errors in what a person gave, and their one-line texts."""

import errno
import shutil
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from trainers.masking import masked
from trainers.plain_words import first_of, keys_at, place_text

_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "database or disk is full")


class UserError(ValueError):
    """A wrong input. Its text is one line: the rule, the value given, the valid names, the nearest match."""


def unknown_name(kind: str, name: object, valid: Iterable[str]) -> UserError:
    """Build the error for a name that is not among the valid ones.

    Args:
        kind: what the name stands for, such as ``"loss"`` or ``"optimizer key"``.
        name: what was given.
        valid: the names that would have been right.
    """
    valid, given = sorted(valid), str(name)
    shown = masked(given) if isinstance(name, str) else name
    close = [right for right in valid if given and right.startswith(given)] or get_close_matches(given, valid, n=1)
    hint = f" did you mean {close[0]}?" if close else ""
    return UserError(f"unknown {kind} {shown!r}:{hint} valid: {', '.join(valid) or 'none'}")


def unknown_key(kind: str, name: str, valid: Iterable[str], where: str = "") -> UserError:
    """As `unknown_name` for one of many dotted keys: lists those of the section that was named, else the sections.

    Args:
        kind: what the key stands for, such as ``"--set key"``.
        name: what was given.
        valid: the keys that would have been right.
        where: what lists all of them, such as a command.
    """
    valid = sorted(valid)
    section = name.partition(".")[0]
    near = [key for key in valid if key.startswith(f"{section}.")]
    heads = dict.fromkeys(f"{key.partition('.')[0]}.*" if "." in key else key for key in valid)
    same = [key for key in valid if name and key.endswith(f".{name}")]  # its section was left out
    close = same or [key for key in valid if name and key.startswith(name)] or get_close_matches(name, valid, n=1)
    hint = f" did you mean {' or '.join(close[:3])}?" if close else ""
    rest = f"; {where} lists all" if where else ""
    return UserError(f"unknown {kind} {masked(name)!r}:{hint} valid: {', '.join(near or heads) or 'none'}{rest}")


def first_line(error: BaseException, limit: int | None = None, *, with_type: bool = False) -> str:
    """What `error` says, in one line for people: its first line that is not blank, else the name of its type.

    Secrets of URIs are masked.

    Args:
        error: of any kind, such as a library's of many lines.
        limit: most characters of that line; None: all.
        with_type: put the name of the type before the text, for errors whose text alone says little (``KeyError: 3``).
    """
    name = type(error).__name__
    lines = (line.strip() for line in str(error).splitlines())
    text = masked(next((line for line in lines if line), ""))[:limit]
    if not text:
        return name
    return f"{name}: {text}" if with_type else text


def first_problem(error: ValidationError) -> tuple[str, str, Any]:
    """The first thing that pydantic found wrong: dotted name (empty for the whole), message, and the value given.

    The message is in this project's words; here alone pydantic's own are turned into them.
    """
    problems = error.errors(include_url=False)
    place, message = first_of(problems)
    return place_text(place), message, problems[0]["input"]


def problem_text(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The first thing that pydantic found wrong as one line: its name, the rule, and the value where that is not said.

    ``unknown scheduler 'ahsa': did you mean asha?`` has its value already.

    Args:
        error: what was found.
        model: what was being built; with it an unknown key is told which there are.
    """
    first = error.errors()[0]
    if model is not None and first["type"] == "extra_forbidden":
        section = place_text(first["loc"][:-1])
        return str(
            unknown_name(f"key{' of ' if section else ''}{section}", first["loc"][-1], keys_at(model, first["loc"]))
        )
    name, message, given = first_problem(error)
    value = shortened(given)
    whole = isinstance(given, Mapping) and "..." in value  # a section, cut to its first and last key
    said = first["type"] == "value_error" and (value in message or whole)  # pydantic's own rules never say it
    return f"{f'{name}: ' if name else ''}{message}{'' if said else f', got {value}'}"


def shortened(value: Any, longest: int = 80) -> str:
    """`repr` of a value that was given, its secrets masked, cut in the middle where it is long."""
    text = masked(repr(value))
    return text if len(text) <= longest else f"{text[: longest // 2]}...{text[-longest // 4 :]}"


def is_full(error: BaseException | None) -> bool:
    """Whether a disk or a quota is full. Ray, Arrow and SQLite say it in their texts only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(text in str(error) for text in _FULL_TEXTS):
            return True
        error = error.__cause__ or error.__context__
    return False


def disk_is_full(error: BaseException, place: Path | None = None) -> UserError:
    """The line for an error of which `is_full` is true.

    Args:
        error: what was caught.
        place: what was being written; None: the file that the error names, if it does.
    """
    where = place or getattr(error, "filename", None)
    what = f"the disk of {where}" if where else "a disk"
    free = f" ({shutil.disk_usage(where).free / 1e6:.0f} MB free)" if where and Path(where).exists() else ""
    return UserError(f"{what} is full{free}: make room, or name a place on another disk; {first_line(error, 200)}")
