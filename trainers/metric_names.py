"""What may be measured, by name, and which way each value is better. Imports no torch."""

import re
from collections.abc import Iterable, Mapping

FID = "fid"
KID, PRDC, INCEPTION_SCORE = "kid", "prdc", "inception_score"

# The values of each name that `fid.metrics` and `confirm.metrics` take.
VALUES: dict[str, tuple[str, ...]] = {
    KID: ("kid",),
    PRDC: ("precision", "recall", "density", "coverage"),
    INCEPTION_SCORE: ("inception_score",),
}
EXTRACTORS_ENV = "GAN_SWEEP_EXTRACTORS"  # modules, separated by commas, whose factories ``fid.extractor`` may name
MINIMISED = frozenset({FID, KID})  # the others are maximised
KID_DEVIATION = "kid_deviation"  # comes with KID: the standard deviation over its subsets
SHARES = frozenset({"precision", "recall", "coverage"})  # between 0 and 1
HELD_OUT = "fid_heldout"  # FID against the images that no training sees, where `data.heldout` keeps some
# With it, where anything is measured on features: how near the fakes lie to the training images, and where images lie
# that nobody has learnt: the mean of their medians, and the lower 5%. See `trainers.metrics.memorisation`.
NEAREST = ("nearest_ratio", "nearest_null", "nearest_null_low")
# Nearest ones that make a neighbourhood of `prdc`, by default and at most; it needs more images than that. Their number
# is part of the values' names.
NEIGHBOURS, MOST_NEIGHBOURS = 5, 1000


def all_values() -> list[str]:
    """Every value that can be measured beside FID."""
    return [value for values in VALUES.values() for value in values]


def measurable() -> list[str]:
    """Every value that can be measured: FID, and what can be measured beside it."""
    return [FID, *all_values()]


def maximised(name: str) -> bool:
    """Whether more of it is better; of what is not measured, such as seconds, less is."""
    return name in all_values() and name not in MINIMISED


def lower_better(name: str, value: float) -> float:
    """A value of `name`, its sign turned where more is better: the one border behind which lower is always better."""
    return -value if maximised(name) else value


def metric_of(value: str) -> str:
    """The name that measures a value: ``recall`` comes with ``prdc``."""
    return next(name for name, values in VALUES.items() if value in values)


def protocol_of(measured: Iterable[str], value: str) -> str | None:
    """The full name, of those `measured`, of a value: ``recall_inception2048_n1000_k5``; None where there is none."""
    return next((name for name in measured if name.startswith(f"{value}_") and short_name(name) == value), None)


def value_of(measured: Mapping[str, float], value: str) -> float | None:
    """A value by its short name, None where it was not measured."""
    name = protocol_of(measured, value)
    return None if name is None else measured[name]


def short_name(protocol: str) -> str:
    """``recall`` of ``recall_inception2048_n1000_k5``, ``fid`` of ``fid_inception2048_n1000``."""
    known = [HELD_OUT, KID_DEVIATION, *reversed(NEAREST), *measurable()]  # of names that begin alike the longer first
    return next((value for value in known if protocol.startswith(f"{value}_")), protocol)


def neighbours_of(protocol: str) -> int | None:
    """5 of ``recall_inception2048_n1000_k5``: nearest neighbours of a neighbourhood; None where there are none."""
    found = re.search(r"_k(\d+)$", protocol) if short_name(protocol) in VALUES[PRDC] else None
    return None if found is None else int(found[1])
