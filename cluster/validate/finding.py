"""What is wrong in a file, where, and what was probably meant."""

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.validate.tree import Item


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line for people: FILE:LINE: KEY: what is wrong (rule NAME); nearest name. Of no YAML, FILE:LINE:COLUMN."""

    file: str
    line: int  # 1 is the first
    key: str  # dotted path of the key, e.g. "provider.region"; empty for the file as a whole
    rule: str  # name of the function that found it
    text: str
    nearest: str | None = None  # the valid name most like the one given; None where nothing is like it
    warning: bool = False  # may be meant so; everything else is refused
    missing: bool = False  # about a key that is not there
    column: int | None = None  # 1 is the first; None where the line says enough

    def __str__(self) -> str:
        mark = "warning: " if self.warning else ""
        column = f":{self.column}" if self.column else ""
        where = f"{self.file}:{self.line}{column}: " + (f"{self.key}: " if self.key else "")
        meant = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return " ".join(f"{mark}{where}{self.text} (rule {self.rule}){meant}".split())


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a rule yields: a Finding that does not know its file and its rule yet."""

    line: int
    key: str
    text: str
    nearest: str | None = None
    warning: bool = False
    missing: bool = False
    column: int | None = None


def problem(item: Item, text: str, *, below: str = "", nearest: str | None = None, warning: bool = False) -> Problem:
    """Something about `item`, or about the key `below` that it lacks."""
    key = ".".join(part for part in (item.key, below) if part)
    return Problem(line=item.line, key=key, text=text, nearest=nearest, warning=warning, missing=bool(below))


def some_gpus(count: object) -> str:
    """1 GPU, 4 GPUs; `count` may be a number or the text of one."""
    text = f"{count:g}" if isinstance(count, int | float) else str(count)
    return f"{text} GPU" if text == "1" else f"{text} GPUs"


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names for a person: all of a few, the first of many."""
    every = sorted(names)
    rest = f", and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + rest
