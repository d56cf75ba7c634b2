"""Text for people: whether the winner keeps the constraints of its sweep."""

from orchestrator.results.records import TrialRecord
from orchestrator.space.constraints import limits_of


def constraints_text(best: TrialRecord) -> str:
    """``recall >= 0.3: kept``, or that no trial keeps them; empty where there are none."""
    limits = ", ".join(map(str, limits_of(best.constraints)))
    if not limits:
        return ""
    if not best.broken:
        return f"{limits}: kept"
    return f"no trial that can win keeps {limits}; the best of the others breaks {', '.join(best.broken)}"
