"""Text for people: what a sweep has held and cost, what its winner did, and what pruning saved."""

from orchestrator.display.waiting import duration
from orchestrator.display.winner_text import counted
from orchestrator.results.prices import bare_money, money
from orchestrator.results.records import TrialRecord
from orchestrator.results.spending import Part, Spending
from orchestrator.results.state import SweepState


def hours_text(spent: Spending, part: Part) -> str:
    """``6.20 GPU hours``; on CPUs ``2 h 05 min``, of gangs."""
    if not spent.on_gpus:
        return duration(3600 * part.hours)
    return f"{part.hours:,.2f} GPU hours" if part.hours >= 0.1 or not part.hours else f"{part.hours:.4f} GPU hours"


def used_text(spent: Spending) -> str:
    """``6.20 GPU hours, 8.31 USD``, each where there is one; empty where there is neither."""
    hours = hours_text(spent, spent.whole) if spent.on_gpus else ""
    return ", ".join(filter(None, (hours, "" if spent.whole.cost is None else money(spent.whole.cost))))


def spending_rows(spent: Spending, best: TrialRecord | None) -> dict[str, str]:
    """What was held, what that cost, and what pruning saved; nothing where no gang was up."""
    if not spent.whole.hours:
        return {}
    of_gangs = "" if spent.on_gpus else " of gangs"
    winner = "" if best is None else f" (the winner {hours_text(spent, spent.by_trial[best.trial_id])})"
    rows = {
        "held": f"{hours_text(spent, spent.whole)}{of_gangs}: {hours_text(spent, spent.trials)} by trials{winner}, "
        f"{hours_text(spent, spent.idle)} while gangs waited or measured the best again"
    }
    if spent.whole.cost is not None:
        rows["cost"] = _cost(spent, best)
    if spent.saved.known:
        rows["pruning"] = f"saved {saved_text(spent)}"
    return rows


def away_row(state: SweepState, now: float) -> dict[str, str]:
    """How much of their time gangs were away, and why; nothing where none was."""
    absence = state.absence
    if not absence.seconds:
        return {}
    left = f"asked to leave {counted(absence.left, 'time')} (spot machines that are taken back among them)"
    why = ", ".join(
        filter(None, (left if absence.left else "", f"died {counted(absence.died, 'time')}" if absence.died else ""))
    )
    return {"away": f"{100 * state.away(now):.1f}% of the time of gangs: {why}"}


def saved_text(spent: Spending) -> str:
    """``1.20 GPU hours, 3.10 USD: the epochs left of 5 pruned trials, each at its own seconds per epoch with FID``."""
    saved = spent.saved
    what = f"the epochs left of {counted(saved.known, 'pruned trial')}, each at its own seconds per epoch with FID"
    unknown = f"; {saved.unknown} more ended too early to tell" if saved.unknown else ""
    return f"{saved_amount(spent)}: {what}{unknown}"


def saved_amount(spent: Spending) -> str:
    """``1.20 GPU hours, 3.10 USD``."""
    cost = "" if spent.saved.cost is None else f", {money(spent.saved.cost)}"
    return hours_text(spent, spent.saved) + cost


def _cost(spent: Spending, best: TrialRecord | None) -> str:
    whole, trials, idle, head = (part.cost or 0.0 for part in (spent.whole, spent.trials, spent.idle, spent.head))
    parts = f"{money(trials)} for trials, {money(idle)} for {'idle gangs' if spent.on_gpus else 'starting and waiting'}"
    if spent.on_gpus:
        parts += f", {money(head)} for the head" if head else "; without the head, which has no price"
    each = f"; {money(trials / len(spent.by_trial))} per trial" if spent.by_trial else ""
    winner = "" if best is None else f", the winner {money(spent.by_trial[best.trial_id].cost or 0.0)}"
    return f"{money(whole)}: {parts}{each}{winner}"


def cost_column(spent: Spending) -> dict[str, str]:
    """Each trial's cost, without currency; empty without a price."""
    costs = {name: part.cost for name, part in spent.by_trial.items()}
    return {name: bare_money(cost) for name, cost in costs.items() if cost is not None}
