"""Text for people: what was measured beside FID."""

from statistics import fmean, stdev

from orchestrator.results.records import TrialRecord
from trainers.metric_names import short_name

HEADINGS = {"kid": "KID", "inception_score": "IS"}  # the others are called by their short names


def heading(protocol: str) -> str:
    """``recall`` of ``recall_inception2048_n1000_k5``."""
    return HEADINGS.get(short := short_name(protocol), short)


def beside_cells(trial: TrialRecord) -> dict[str, str]:
    """The means of a trial that was measured again, by heading; empty for others."""
    found = trial.measured_beside if trial.confirmed_beside else {}
    return {heading(name): f"{fmean(values):.3g}" for name, values in found.items()}


def beside_text(trial: TrialRecord) -> str:
    """``KID 0.0121 ± 0.0004, recall 0.43 ± 0.01``: with standard deviations where there are several values."""
    return ", ".join(f"{heading(name)} {_spread(values)}" for name, values in trial.measured_beside.items())


def _spread(values: list[float]) -> str:
    mean = f"{fmean(values):.3g}"
    return f"{mean} ± {stdev(values):.1g}" if len(values) > 1 else mean
