"""What all plots share. A figure is plotly's own JSON; colours are names of the page's, which `plots.js` looks up."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import escape

from orchestrator.display.report.entries import Group
from orchestrator.display.report.text import short_value
from orchestrator.space.domains import Choice, Domain
from orchestrator.space.objectives import called
from trainers.metric_names import FID

Figure = dict[str, Any]

# For FIDs, the lowest first: from dark to light on a light page and the other way on a dark one, without red and green.
SCALE = [[0, "--best"], [0.5, "--middle"], [1, "--worst"]]

LOOKS = {  # colour and mark by `Entry.look`; a hollow mark is a FID that does not count
    "completed": ("--completed", "circle"),
    "outranked": ("--outranked", "x"),
    "rule": ("--rule", "triangle-down"),
    "stopped": ("--stopped", "square"),
    "failed": ("--failed", "diamond"),
    "training": ("--training", "hexagon"),
}


def mark_of(look: str, size: float = 8) -> Figure:
    """The filled mark of a look, as plotly takes it."""
    colour, symbol = LOOKS[look]
    return {"color": colour, "symbol": symbol, "size": size, "line": {"color": colour, "width": 1}}


def hollow(mark: Figure) -> Figure:
    """The same mark, for a FID that does not count."""
    return {**mark, "symbol": f"{mark['symbol']}-open", "line": {**mark["line"], "width": 1.5}}


def hover_text(measure: str) -> str:
    """``FID %{y:.1f}``: what plotly says of a point whose height is an objective's value."""
    return f"{called(measure)} %{{y:{'.1f' if measure == FID else '.3g'}}}"


def plain(text: Any) -> str:
    """A text from a file, for plotly, which takes some tags."""
    return str(escape(text))


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Keys without their section, where no other ends alike: ``lr_g`` for ``optimizer.lr_g``."""
    ends = [name.rpartition(".")[2] for name in names]
    return {name: end if ends.count(end) == 1 else name for name, end in zip(names, ends, strict=True)}


def domain_of(group: Group, name: str) -> Domain | None:
    """The domain of a searched key in the first sweep that searches it; None where its space cannot be read."""
    return next((one.space.search[name] for one in group.sweeps if one.space and name in one.space.search), None)


def on_log_scale(domain: Domain | None) -> bool:
    """Whether a key is searched on a log scale."""
    return domain is not None and not isinstance(domain, Choice) and domain.log


def is_wide(values: Sequence[float]) -> bool:
    """Whether positive values differ so much that only a log axis shows them all."""
    return bool(values) and min(values) > 0 and max(values) > 8 * min(values)


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Ticks of a log axis and their texts: 1, 2 and 5 of each decade; its ends where these are fewer than two."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    marks = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
    marks = marks if len(marks) > 1 else [low, high]
    return marks, [short_value(mark) if mark < 10 else f"{mark:,.0f}" for mark in marks]
