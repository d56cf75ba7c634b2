"""Two leaders that the spread cannot tell apart, and how many training seeds or sets of latents it would take."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.display.advice.finding import Facts, Finding
from orchestrator.results.comparison import LEVEL, welch
from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import by_seeds
from orchestrator.results.seed_odds import Odds, odds_of

POWER = 0.8  # of a two-sided test at 1 - LEVEL
MOST = 1000  # values; nobody measures more


def leaders(facts: Facts) -> Iterator[Finding]:
    """A finding where the two best settings, or their checkpoints, do not differ by more than chance.

    Settings that were both trained again differ where `odds_of` says so, which also says why it cannot. Of others the
    values are those of one checkpoint each, on fresh latents, and more of them tell the two generators apart, not the
    settings.
    """
    odds = odds_of(facts.leaders)
    if odds is None or odds.runner_up is None:
        yield from _by_latents(facts)
    elif odds.probability is not None and not odds.is_clear:
        yield from _by_training(odds, by_seeds(facts.leaders))


def _by_training(odds: Odds, settings: Sequence[TrialRecord]) -> Iterator[Finding]:
    first, second = (one.seeds.values for one in settings[:2])
    apart, spread = abs(statistics.mean(first) - statistics.mean(second)), _pooled(one.seeds.values for one in settings)
    if apart == 0 or spread == 0:
        return
    counts = f"{len(first)} and {len(second)} training seeds"
    takes = _takes(first, second, spread, "training seeds", "confirm.train_seeds")
    yield Finding(
        about="leaders",
        text=f"{odds}. Their mean FIDs over {counts} are {apart:.2f} apart, and trainings that differ by their seed "
        f"alone have a spread of {spread:.2f}. {takes}",
    )


def _by_latents(facts: Facts) -> Iterator[Finding]:
    measured = [trial for trial in facts.leaders if len(trial.confirmed) > 1][:2]
    if len(measured) < 2:
        return
    first, second = (list(trial.confirmed) for trial in measured)
    found = welch(first, second)
    if found.mean == 0.0 or found.error == 0.0 or found.is_clear:
        return
    what, spreads = "sets of fresh latents", " and ".join(f"{statistics.stdev(one):.2f}" for one in (first, second))
    takes = _takes(first, second, _pooled((first, second)), what, "confirm.seeds")
    yield Finding(
        about="leaders",
        text=f"{measured[0].trial_id} and {measured[1].trial_id} cannot be told apart: their mean FIDs are "
        f"{abs(found.mean):.2f} apart ({LEVEL:.0%} interval of the difference {found.low:+.2f} to {found.high:+.2f}), "
        f"with spreads of {spreads} over {len(first)} and {len(second)} {what}. {takes} That compares the two "
        "checkpoints; the settings compare when both are trained again.",
    )


def _takes(first: Sequence[float], second: Sequence[float], spread: float, what: str, key: str) -> str:
    apart = abs(statistics.mean(first) - statistics.mean(second))
    enough = seeds_needed(apart, spread, max(len(first), len(second)) + 1)
    takes = f"some {enough} {what} each ({key})" if enough else f"more than {MOST:,} {what} each: take either"
    return (
        f"If that is how far they are apart, to see it with {POWER:.0%} power at a two-sided {1 - LEVEL:.0%} takes "
        f"{takes}."
    )


def _pooled(samples: Iterable[Sequence[float]]) -> float:
    """The spread that samples have in common; those with one value tell nothing."""
    many = [one for one in samples if len(one) > 1]
    freedom = sum(len(one) - 1 for one in many)
    return math.sqrt(sum((len(one) - 1) * statistics.variance(one) for one in many) / freedom)


def seeds_needed(apart: float, spread: float, least: int = 2) -> int | None:
    """The smallest number of values of each with which a t test sees the difference of two means; None: over `MOST`.

    Power of the two-sample t test at `POWER`, by the noncentral t distribution (Cohen 1988, "Statistical power analysis
    for the behavioral sciences", chapter 2).

    Args:
        apart: the two means; above 0.
        spread: standard deviation of values, which both have; above 0.
        least: what was not enough is no answer.
    """
    from scipy import stats

    effect = apart / spread
    normal = 2 * ((stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER)) / effect) ** 2  # a t test needs no fewer
    if normal > MOST:
        return None
    for count in range(max(least, math.floor(normal)), MOST + 1):  # not from above: there the tail is not a number
        freedom, shift = 2 * count - 2, effect * math.sqrt(count / 2)
        limit = stats.t.ppf((1 + LEVEL) / 2, freedom)
        if stats.nct.sf(limit, freedom, shift) >= POWER:  # the other tail is far below a rounding error at this power
            return count
    return None
