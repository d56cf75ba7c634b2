"""Two leaders that the spread cannot tell apart, and how many training seeds or sets of latents it would take."""

import math
import statistics
from collections.abc import Iterator, Sequence

from orchestrator.display.advice.finding import Facts, Finding
from orchestrator.results.comparison import LEVEL, welch
from orchestrator.results.repeats import by_seeds

POWER = 0.8  # of a two-sided test at 1 - LEVEL
MOST = 1000  # values; nobody measures more


def leaders(facts: Facts) -> Iterator[Finding]:
    """A finding where the two best settings, or their checkpoints, do not differ by more than chance.

    Where settings were trained again, the values are those of their training seeds; else those of one checkpoint each,
    on fresh latents, and more of them tell the two generators apart, not the settings.
    """
    trained = [(trial.trial_id, trial.seeds.values) for trial in by_seeds(facts.leaders)]
    again = [(trial.trial_id, trial.confirmed) for trial in facts.leaders]
    (first, second), unit, key = _two_best(trained), "training seeds", "confirm.train_seeds"
    if not second[1]:
        (first, second), unit, key = _two_best(again), "sets of fresh latents", "confirm.seeds"
    if not second[1]:
        return
    found = welch(list(first[1]), list(second[1]))
    if found.mean == 0.0 or found.error == 0.0 or found.is_clear:
        return
    enough = seeds_needed(first[1], second[1])
    takes = f"some {enough} {unit} each ({key})" if enough else f"more than {MOST:,} {unit} each: take either"
    spreads = " and ".join(f"{statistics.stdev(values):.2f}" for _, values in (first, second))
    counts = " and ".join(str(len(values)) for _, values in (first, second))
    only = (
        ""
        if key == "confirm.train_seeds"
        else " That compares the two checkpoints; the settings compare when both are trained again."
    )
    yield Finding(
        about="leaders",
        text=f"{first[0]} and {second[0]} cannot be told apart: their mean FIDs are {abs(found.mean):.2f} apart "
        f"({LEVEL:.0%} interval of the difference {found.low:+.2f} to {found.high:+.2f}), with spreads of {spreads} "
        f"over {counts} {unit}. If that is how far they are apart, to see it with {POWER:.0%} power at a two-sided "
        f"{1 - LEVEL:.0%} takes {takes}.{only}",
    )


_Measured = tuple[str, Sequence[float]]  # a trial, and its values


def _two_best(trials: Sequence[_Measured]) -> tuple[_Measured, _Measured]:
    """The first two of which both have two values or more; without values where there are none."""
    enough = [one for one in trials if len(one[1]) > 1][:2]
    return (enough[0], enough[1]) if len(enough) == 2 else (("", ()), ("", ()))


def seeds_needed(first: Sequence[float], second: Sequence[float]) -> int | None:
    """The smallest number of values of each with which a t test sees the difference of their means; None: over `MOST`.

    Power of the two-sample t test at `POWER`, by the noncentral t distribution, for the means and the pooled spread of
    these values (Cohen 1988, "Statistical power analysis for the behavioral sciences", chapter 2).

    Args:
        first, second: two values of each at least, whose means differ.
    """
    from scipy import stats

    pooled = math.sqrt((statistics.variance(first) + statistics.variance(second)) / 2)
    effect = abs(statistics.mean(first) - statistics.mean(second)) / pooled
    normal = 2 * ((stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER)) / effect) ** 2  # a t test needs no fewer
    if normal > MOST:
        return None
    for count in range(
        max(2, math.floor(normal)), MOST + 1
    ):  # not from above: the tail is not a number where it is all
        freedom, shift = 2 * count - 2, effect * math.sqrt(count / 2)
        limit = stats.t.ppf((1 + LEVEL) / 2, freedom)
        if stats.nct.sf(limit, freedom, shift) >= POWER:  # the other tail is far below a rounding error at this power
            return count
    return None
