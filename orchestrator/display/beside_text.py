"""Text for people: what was measured beside FID."""

from statistics import fmean, stdev

from orchestrator.results.records import TrialRecord
from trainers.metric_names import (
    FID,
    HELD_OUT,
    KID,
    KID_DEVIATION,
    NEAREST,
    NEIGHBOURS,
    measurable,
    neighbours_of,
    protocol_of,
    short_name,
)

HEADINGS = {
    FID: "FID",
    "kid": "KID",
    "inception_score": "IS",
    HELD_OUT: "FID held out",
}  # the others are called by their short names


def heading(protocol: str) -> str:
    """``recall`` of ``recall_inception2048_n1000_k5``, but ``recall (k = 3)`` where it is not the usual 5."""
    short, k = short_name(protocol), neighbours_of(protocol)
    return HEADINGS.get(short, short) + ("" if k in (None, NEIGHBOURS) else f" (k = {k})")


def beside_cells(trial: TrialRecord) -> dict[str, str]:
    """The means of a trial that was measured again, by heading; empty for others."""
    return {heading(name): f"{fmean(values):.3g}" for name, values in _shown(trial, again=True).items()}


def beside_text(trial: TrialRecord) -> str:
    """``KID 0.0121 ± 0.0004 (subsets ± 0.002), recall 0.43 ± 0.01``: with standard deviations of several values.

    Of KID also that over the subsets which it is the mean of.
    """
    found, texts = trial.measured_beside, []
    deviation = protocol_of(found, KID_DEVIATION)
    for name, values in _shown(trial).items():
        text = f"{heading(name)} {_spread(values)}"
        if short_name(name) == KID and deviation is not None:
            text += f" (subsets ± {fmean(found[deviation]):.1g})"
        texts.append(text)
    return ", ".join(texts)


def beside_means(trial: TrialRecord) -> dict[str, float]:
    """As `beside_cells`, as numbers."""
    return {heading(name): fmean(values) for name, values in _shown(trial, again=True).items()}


def nearest_text(trial: TrialRecord) -> str:
    """Whether its fakes lie nearer to the training images than images do that nobody has learnt; empty if unknown."""
    found = trial.measured_beside
    names = [protocol_of(found, name) for name in NEAREST]
    known = [fmean(found[name]) for name in names if name is not None]
    if len(known) < len(NEAREST):
        return ""
    ratio, null, low = known
    sign = "a sign that it has learnt images by heart, but no proof" if ratio < low else "no sign of learning by heart"
    return (
        f"its fakes are {ratio:.2f} times as far from the nearest training image as from the nearest held-out one, "
        f"held-out images {null:.2f} times (95% of such sets {low:.2f} or more): {sign}"
    )


def _shown(trial: TrialRecord, *, again: bool = False) -> dict[str, list[float]]:
    """What was measured beside the objective, but for what other texts tell; if asked, only if it was `again`."""
    found = trial.measured_beside if trial.confirmed_beside or not again else {}
    return {
        name: values
        for name, values in found.items()
        if short_name(name) not in (*NEAREST, KID_DEVIATION, trial.measure)
    }


def _spread(values: list[float]) -> str:
    mean = f"{fmean(values):.3g}"
    return f"{mean} ± {stdev(values):.1g}" if len(values) > 1 else mean


def amount_text(name: str, value: float | None) -> str:
    """The value of a second objective: a cost as ``1,204``, what is measured as ``0.431``; or a dash."""
    if value is None:
        return "-"
    return f"{value:.3g}" if name in measurable() else f"{value:,.0f}"
