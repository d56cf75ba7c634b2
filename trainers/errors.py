"""Errors that people caused and people can mend."""

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


def first_problem(error: ValidationError) -> tuple[str, str, Any]:
    """The first thing that pydantic found wrong: dotted name (empty for the whole), message, and the value given."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return name, first["msg"].removeprefix("Value error, "), first["input"]
