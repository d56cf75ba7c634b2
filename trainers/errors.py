"""Errors in what a person gave, and their one-line texts."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError


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
    close = [right for right in valid if given and right.startswith(given)] or get_close_matches(given, valid, n=1)
    hint = f" did you mean {close[0]}?" if close else ""
    return UserError(f"unknown {kind} {name!r}:{hint} valid: {', '.join(valid) or 'none'}")


def first_line(error: BaseException, limit: int | None = None, *, with_type: bool = False) -> str:
    """What `error` says, in one line for people: its first line that is not blank, else the name of its type.

    Args:
        error: of any kind, such as a library's of many lines.
        limit: most characters of that line; None: all.
        with_type: put the name of the type before the text, for errors whose text alone says little (``KeyError: 3``).
    """
    name = type(error).__name__
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line), "")[:limit]
    if not text:
        return name
    return f"{name}: {text}" if with_type else text


def first_problem(error: ValidationError) -> tuple[str, str, Any]:
    """The first thing that pydantic found wrong: dotted name (empty for the whole), message, and the value given."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return name, first["msg"].removeprefix("Value error, "), first["input"]
