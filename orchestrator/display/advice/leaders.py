"""Two leaders that the spread cannot tell apart, and how many seeds it would take."""

import math
import statistics
from collections.abc import Iterator, Sequence

from orchestrator.display.advice.finding import Facts, Finding
from orchestrator.results.comparison import LEVEL, welch

POWER = 0.8  # of a two-sided test at 1 - LEVEL
MOST = 1000  # seeds; nobody measures more


def leaders(facts: Facts) -> Iterator[Finding]:
    """A finding where the two best trials that were measured again do not differ by more than chance.

    Their values are of one checkpoint each, on fresh latents, so more of them tell the two generators apart; the
    settings would have to be trained again.
    """
    measured = [trial for trial in facts.leaders if len(trial.confirmed) > 1]
    if len(measured) < 2:
        return
    first, second = measured[:2]
    found = welch(first.confirmed, second.confirmed)
    if found.mean == 0.0 or found.error == 0.0 or found.is_clear:
        return
    enough = seeds_needed(first.confirmed, second.confirmed)
    takes = f"some {enough} seeds each" if enough is not None else f"more than {MOST:,} seeds each, so take either"
    spreads = " and ".join(f"{statistics.stdev(trial.confirmed):.2f}" for trial in (first, second))
    counts = " and ".join(str(len(trial.confirmed)) for trial in (first, second))
    yield Finding(
        about="leaders",
        text=f"{first.trial_id} and {second.trial_id} cannot be told apart: their FIDs, measured again, are "
        f"{abs(found.mean):.2f} apart ({LEVEL:.0%} interval of the difference {found.low:+.2f} to {found.high:+.2f}), "
        f"with spreads of {spreads} over {counts} seeds. If that is how far they are apart, to see it with "
        f"{POWER:.0%} power at a two-sided {1 - LEVEL:.0%} takes {takes} (confirm.seeds). That compares the two "
        "checkpoints; to compare the settings, train both as often as their trainings' own spread asks for.",
    )


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

    def power(count: int) -> float:
        freedom, shift = 2 * count - 2, effect * math.sqrt(count / 2)
        limit = float(stats.t.ppf((1 + LEVEL) / 2, freedom))
        return float(stats.nct.sf(limit, freedom, shift) + stats.nct.cdf(-limit, freedom, shift))

    low, high = 2, MOST
    if power(high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle + 1, high)
    return low
