"""A part of the page: a title, a template and what it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Part:
    """A section of the page.

    Attributes:
        name: of its template, and the start of its anchor.
        title: its heading.
        short: its heading where there is less room; empty: the same.
        values: what its template gets.
        notes: what was left out of it, a sentence each: shown in the page and on the screen.
    """

    name: str
    title: str
    short: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
