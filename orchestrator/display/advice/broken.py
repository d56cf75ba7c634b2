"""Many trials were ended by the same rule, and with which values."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from orchestrator.display.advice.finding import LEVEL, Facts, Finding, chance_text
from orchestrator.display.winner_text import short
from orchestrator.pruning import RULES
from orchestrator.results.records import TrialRecord
from orchestrator.space.domains import Choice, value_text

FEWEST = 3  # trials
SHARE = 0.2  # of all trials
CLEARLY = 0.8  # of the trials on each side of a split are what it says

Split = tuple[float, str, int, int]  # chance, the side in words, how many of the ended and of the others are on it


def broken(facts: Facts) -> Iterator[Finding]:
    """A finding for each rule that ended many trials, with the key whose values tell these from the others."""
    total = len(facts.trials)
    counts = Counter(trial.verdict for trial in facts.trials if trial.verdict in RULES)
    for rule, count in counts.most_common():
        if rule is None or count < FEWEST or count < SHARE * total:
            continue
        low, high = _interval(count, total)
        key, where = _separating(rule, facts)
        cure = "; a range without these values spends fewer trials on them" if key else ""
        text = (
            f"{rule} ended {count} of {total} trials ({count / total:.0%}; 95% interval {low:.0%} to {high:.0%})"
            f"{where}{cure}. `gan-sweep replay` shows what a milder rule would have done."
        )
        yield Finding(about="rule", key=key, text=text)


def _interval(count: int, trials: int) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson 1927)."""
    from scipy import stats

    found = stats.binomtest(count, trials).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def _separating(rule: str, facts: Facts) -> tuple[str | None, str]:
    """The key that tells the trials of a rule from the others, and how; None and nothing where none does clearly."""
    found = []
    for name in facts.space.search:
        own = [trial for trial in facts.trials if name in trial.params]
        ended = [trial for trial in own if trial.verdict == rule]
        others = [trial for trial in own if trial.verdict != rule]
        if min(len(ended), len(others)) < FEWEST:
            continue
        chance, words, inside, outside = _split(name, facts, ended, others)
        clear = inside >= CLEARLY * len(ended) and outside <= (1 - CLEARLY) * len(others)
        if clear and chance * len(facts.space.search) <= LEVEL:
            there = f"{inside} of these {len(ended)} and {outside} of the other {len(others)}"
            found.append((chance, name, f", most with {name} {words}: {there}, by chance in {chance_text(chance)}"))
    if not found:
        return None, ""
    _, key, text = min(found)
    return key, text


def _split(name: str, facts: Facts, ended: Sequence[TrialRecord], others: Sequence[TrialRecord]) -> Split:
    """Where the values of one key tell two groups of trials apart best.

    Chance is that of the Mann-Whitney test (1947) for numbers, which are split where the shares of both groups differ
    most; for choices of Fisher's exact test, for the value that most of the ended trials have.
    """
    from scipy import stats

    if isinstance(facts.space.search[name], Choice):
        value = Counter(value_text(trial.params[name]) for trial in ended).most_common(1)[0][0]
        inside, outside = (sum(value_text(trial.params[name]) == value for trial in group) for group in (ended, others))
        table = [[inside, len(ended) - inside], [outside, len(others) - outside]]
        return float(stats.fisher_exact(table).pvalue), f"= {value}", inside, outside
    own, rest = (sorted(float(trial.params[name] or 0) for trial in group) for group in (ended, others))
    chance = float(stats.mannwhitneyu(own, rest).pvalue)
    best, gap = (chance, "", 0, 0), 0.0
    for low, high in pairwise(sorted({*own, *rest})):
        inside, outside = (bisect_right(group, low) for group in (own, rest))
        sides = (
            (chance, f"at {short(low)} or below", inside, outside),
            (chance, f"at {short(high)} or above", len(own) - inside, len(rest) - outside),
        )
        for side in sides:
            if (apart := side[2] / len(own) - side[3] / len(rest)) > gap:
                best, gap = side, apart
    return best
