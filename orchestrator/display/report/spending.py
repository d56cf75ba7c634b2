"""What each sweep has held and cost, how that divides, and what pruning saved."""

from typing import Any

from orchestrator.display.report.entries import Group, Sweep
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import plural
from orchestrator.display.spending_text import hours_text, saved_text
from orchestrator.results.prices import CURRENCY, bare_money, money
from orchestrator.results.records import best_trial


def spending(group: Group) -> Part:
    """A table per sweep whose parts add up to its last row, and a sentence on pruning."""
    shown = [_shown(sweep) for sweep in group.sweeps if sweep.spent.whole.hours]
    return Part(name="spending", title="Cost", values={"sweeps": shown})


def _shown(sweep: Sweep) -> dict[str, Any]:
    spent, trials = sweep.spent, list(sweep.state.trials.values())
    best = best_trial(trials)
    rows = [(plural(len(trials), "trial"), spent.trials)]
    if best is not None:
        rows.append(("of these the winner", spent.by_trial[best.trial_id]))
    rows.append(("idle", spent.idle))
    if spent.on_gpus and spent.head.cost:
        rows.append(("head", spent.head))
    rows.append(("whole sweep", spent.whole))
    priced = spent.whole.cost is not None
    prices = sweep.plan.prices
    said = {
        "a GPU hour": prices.gpu_hour if spent.on_gpus else None,
        "an hour of the head": prices.head_hour,
    }
    return {
        "name": sweep.name,
        "hours": "GPU hours" if spent.on_gpus else "time of gangs",
        "rows": [
            (
                name,
                hours_text(spent, part).removesuffix(" GPU hours") if part.hours else "-",
                bare_money(part.cost or 0.0) if priced else "",
            )
            for name, part in rows
        ],
        "priced": priced,
        "on_gpus": spent.on_gpus,
        "currency": CURRENCY,
        "prices": [f"{money(price)} for {what}" for what, price in said.items() if priced and price is not None],
        "without_head": priced and spent.on_gpus and prices.head_hour is None,
        "saved": f"Pruning saved {saved_text(spent)}." if spent.saved.known else "",
    }
