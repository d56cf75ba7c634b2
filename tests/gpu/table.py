"""A table of what was checked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line: what was checked; ``ok``, ``FAILED`` or ``skipped``; what came out."""

    name: str
    status: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is done. None: the document's own side or width."""

    side: int | None = None
    width: int | None = None
    batch: int = 64
    steps: int = 30
    rounds: int = 3


TINY = Sizes(side=32, width=4, batch=4, steps=1, rounds=1)


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| what | | result |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.name} | {row.status} | {row.text} |" for row in rows)])
