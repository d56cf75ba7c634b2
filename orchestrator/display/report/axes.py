"""Axes of the parallel coordinates: values and ticks of a searched key."""

import math
from typing import Any

from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.figures import domain_of, log_ticks, on_log_scale, plain
from orchestrator.display.report.text import short_value
from orchestrator.space.domains import Choice

MOST_TICKS = 8
_MISSING = "\0"  # no value that a setting can have

Axis = dict[str, Any]


def setting_axis(group: Group, entries: list[Entry], name: str) -> Axis:
    """Values and ticks of a key; trials without it are at the bottom."""
    domain = domain_of(group, name)
    given: list[Any] = [entry.trial.params.get(name, _MISSING) for entry in entries]
    numbers: list[float] = [value for value in given if _is_number(value)]
    if not numbers or isinstance(domain, Choice) or any(not _is_number(one) and one is not _MISSING for one in given):
        return _kinds(given)
    ends = [*numbers, *(domain.bounds if domain is not None else ())]
    log = on_log_scale(domain) and min(ends) > 0
    scaled = math.log10 if log else float
    low, high = scaled(min(ends)), scaled(max(ends))
    axis = (
        ticks(min(ends), max(ends)) if log else even_ticks(low, high, whole=all(isinstance(one, int) for one in ends))
    )
    if low == high:
        low, high = low - 0.5, high + 0.5
    below = low - 0.12 * (high - low)
    axis |= {"values": [below if value is _MISSING else scaled(value) for value in given], "range": [low, high]}
    if _MISSING in given:
        axis |= {"range": [below, high], "tickvals": [below, *axis["tickvals"]]}
        axis["ticktext"] = ["absent", *axis["ticktext"]]
    return axis


def _kinds(given: list[Any]) -> Axis:
    """Values that are no numbers, or numbers to choose from: each at a place of its own."""
    texts = ["absent" if value is _MISSING else short_value(value) for value in given]
    kinds = sorted(set(texts), key=lambda text: (not _as_number(text)[0], _as_number(text)[1], text))
    return {
        "values": [float(kinds.index(text)) for text in texts],
        "tickvals": list(range(len(kinds))),
        "ticktext": [plain(kind) for kind in kinds],
        "range": [-0.3, len(kinds) - 0.7],
    }


def ticks(low: float, high: float) -> Axis:
    """Ticks of a log axis, at the logarithms of its numbers."""
    marks, texts = log_ticks(low, high)
    return {"tickvals": [math.log10(mark) for mark in marks], "ticktext": texts}


def even_ticks(low: float, high: float, *, whole: bool = False) -> Axis:
    """Ticks of a linear axis at multiples of 1, 2 or 5 of a decade; of whole numbers at whole ones only."""
    if low == high:
        return {"tickvals": [low], "ticktext": [short_value(low)]}
    raw = (high - low) / MOST_TICKS
    decade = 10.0 ** math.floor(math.log10(raw))
    step = next(digit * decade for digit in (1, 2, 5, 10) if digit * decade >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    marks = [round(number * step, 12) for number in range(first, last + 1)]
    return {"tickvals": marks, "ticktext": [f"{mark:,.0f}" if whole else f"{mark:g}" for mark in marks]}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _as_number(text: str) -> tuple[bool, float]:
    try:
        return True, float(text)
    except ValueError:
        return False, 0.0
