"""Rules that end doomed trials: pure functions over a trial's history, one file each."""

from orchestrator.pruning.history import History
from orchestrator.pruning.nonfinite import Nonfinite
from orchestrator.pruning.rule import Rule, Trip

RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (Nonfinite,)}  # judged in this order
HOPELESS = frozenset(name for name, rule in RULES.items() if rule.hopeless)


def first_trip(rules: tuple[Rule, ...], history: History) -> Trip | None:
    """What the first rule that trips has found."""
    for rule in rules:
        if (trip := rule.trip(history)) is not None:
            return trip
    return None


__all__ = ["HOPELESS", "RULES", "History", "Rule", "Trip", "first_trip"]
