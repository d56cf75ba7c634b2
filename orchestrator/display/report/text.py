"""Numbers and words, as the page writes them."""

import math
from collections.abc import Sequence
from typing import Any

from orchestrator.display import live
from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import Seeds
from orchestrator.space.domains import value_text
from orchestrator.space.objectives import spread_text


def fid_text(value: float | None) -> str:
    """``45.6``, ``7.35``, ``0.431`` or ``1,204``: three digits that mean something; a dash where there is none."""
    return "-" if value is None or not math.isfinite(value) else format(value, _form(value))


def confirmed_text(trial: TrialRecord) -> str:
    """``44.6 ± 1.1``: mean and sample standard deviation where it was measured again; empty where it was not."""
    return live.confirmed_text(trial, _form(trial.objective_mean or 0.0))


def seeds_text(seeds: Seeds) -> str:
    """``44.6 ± 1.1``: mean and sample standard deviation over training seeds; empty without any."""
    return "" if seeds.mean is None else spread_text(seeds.mean, seeds.spread, _form(seeds.mean))


def refused_text(reasons: Sequence[str]) -> str:
    """What the mark of refused trials means, with the reasons that there are; empty without any."""
    known = " or ".join(dict.fromkeys(reasons))
    return f"† measured again and refused, so it cannot win: {known}" if known else ""


def _form(value: float) -> str:
    if abs(value) >= 1000:
        return ",.0f"
    if abs(value) < 1:
        return ".3g"
    return ".2f" if abs(value) < 10 else ".1f"


def short_value(value: Any) -> str:
    """A setting's value with three digits, as YAML writes it: ``0.000738``, ``pad``, ``null``."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).lower() if isinstance(value, bool) else value_text(value)


def plural(count: int, what: str) -> str:
    """``1 trial``, ``24 trials``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def verb(count: int, one: str, many: str) -> str:
    """The form of a verb that goes with a number."""
    return one if count == 1 else many


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
