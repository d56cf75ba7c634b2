"""Whether the winning setting is better than the runner-up, or only had luckier seeds: a bootstrap over training seeds.

A few seeds say little of their own spread, so the residuals of all repeated settings about their means are pooled. A
residual of one of n values is too small by sqrt((n - 1) / n) on average, and is made larger by that. Each draw also has
a spread of its own, as if it came from so few values (chi-squared, as in Student's t): a plain bootstrap of 4 residuals
has no tails. So settings are taken to have one training spread; a setting that is far less steady is not known by this.

The winner is whoever came out lowest, so one of two equal settings always seems better. The odds of the other order are
therefore doubled, as in a two-sided test, and where that leaves less than an even chance, the seeds say nothing: 50%.
Of 2 to 5 equal settings with 2 to 5 seeds each, at most 6% of winners have more than 95%, where trainings spread as a
normal distribution does (`tests/orchestrator/results/test_seed_odds.py`). Trainings that go well or badly, half of
each, are worse: of two equal settings with 2 seeds, one has two good ones and the other two bad ones in one sweep of
eight. So nobody is called better with fewer than `SURE` seeds; with as many it is at most 6% there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.results.repeats import by_seeds
from orchestrator.space.objectives import training_seeds_text
from trainers.metric_names import maximised

if TYPE_CHECKING:
    from orchestrator.results.records import TrialRecord

DRAWS = 10_000
CLEAR = 0.95  # from here on the winner is called better
FEWEST = 2  # training seeds of a setting, below which it has no spread
SURE = 3  # training seeds of both, below which neither is called better


@dataclass(frozen=True, kw_only=True)
class Odds:
    """How the winning setting compares with the next.

    Attributes:
        winner, runner_up: numbers of their trials; no runner-up where one setting alone has values.
        probability: that the winner's mean over all seeds there are is below the runner-up's; None where that cannot be
            said.
        why_not: a sentence where it cannot.
        direction: ``lower`` or ``higher``: which mean is better.
        seeds: of the one that has fewer; 0 where no probability can be said.
    """

    winner: str
    runner_up: str | None
    probability: float | None
    why_not: str = ""
    direction: str = "lower"
    seeds: int = 0

    @property
    def is_clear(self) -> bool:
        """Whether the winner may be called better."""
        return self.probability is not None and self.probability > CLEAR and self.seeds >= SURE

    def to_json(self) -> dict[str, Any]:
        """As ``gan-sweep results --json`` prints it."""
        return {**asdict(self), "is_clear": self.is_clear, "sentence": str(self)}

    def __str__(self) -> str:
        """A sentence without a full stop."""
        if self.probability is None:
            return self.why_not
        chance = f"{min(self.probability, 0.999):.1%}" if self.is_clear else f"{int(100 * self.probability)}%"
        than = f"mean over training seeds than {self.runner_up}"
        better = f"{self.winner} has a {self.direction} {than} with a probability of {chance}"
        if self.is_clear:
            return better
        few = f" by {self.seeds} training seeds each" if self.probability > CLEAR else ""
        return f"{better}: they cannot be told apart{few}"


def odds_of(trials: Iterable[TrialRecord]) -> Odds | None:
    """How the winning setting of a sweep compares with the next; None where none was trained again."""
    ranked = by_seeds(trials)
    if not ranked:
        return None
    winner = ranked[0].trial_id
    if len(ranked) == 1:
        that = " that keeps the constraints" if ranked[0].constraints and not ranked[0].broken else ""
        return Odds(
            winner=winner, runner_up=None, probability=None, why_not=f"no other setting{that} was trained again"
        )
    second, failed = ranked[1].trial_id, ranked[1].seeds.failed
    why_not = ""
    if failed and not ranked[0].seeds.failed:
        of = training_seeds_text(ranked[1].seeds.asked)
        why_not = f"{winner} ranks before {second} since {failed} of {of} of that failed"
    elif min(len(one.seeds.values) for one in ranked[:2]) < FEWEST:
        why_not = (
            f"whether {winner} is better than {second} or had a luckier training seed cannot be said: that takes "
            f"{FEWEST} training seeds of each at least (confirm.train_seeds)"
        )
    if why_not:
        return Odds(winner=winner, runner_up=second, probability=None, why_not=why_not)
    values = [[one.lower(value) for value in one.seeds.values] for one in ranked]
    better, odds = maximised(ranked[0].measure), probability_of_less(values[0], values[1], values[2:])
    return Odds(
        winner=winner,
        runner_up=second,
        probability=odds,
        direction="higher" if better else "lower",
        seeds=min(len(one) for one in values[:2]),
    )


def probability_of_less(
    first: Sequence[float], second: Sequence[float], others: Iterable[Sequence[float]] = (), seed: int = 0
) -> float:
    """The probability that what `first` was drawn from has a lower mean than that of `second`, where it came out lower.

    Args:
        first, second: values of two settings, two of each at least; the mean of `first` is the lower one.
        others: of further settings, which tell the spread; those with one value tell nothing.
        seed: of the bootstrap.

    Returns:
        From 0.5, where nothing speaks for it, to 1.
    """
    import numpy as np

    samples = [np.asarray(one) for one in (first, second, *others) if len(one) > 1]
    residuals = np.concatenate([(one - one.mean()) * np.sqrt(len(one) / (len(one) - 1)) for one in samples])
    freedom = sum(len(one) - 1 for one in samples)
    apart = float(np.mean(second) - np.mean(first))
    if not residuals.any():
        return 1.0 if apart > 0 else 0.5
    random = np.random.default_rng(seed)

    def drawn(count: int) -> np.ndarray:
        return random.choice(residuals, (DRAWS, count)).mean(axis=1)

    spread = np.sqrt(freedom / random.chisquare(freedom, DRAWS))
    other_order = float(np.mean(apart + spread * (drawn(len(second)) - drawn(len(first))) <= 0))
    return max(0.5, 1 - 2 * other_order)
