"""What was searched, for how long, and by whom."""

import re
import time
from collections import Counter
from typing import Any

from orchestrator.display.report.entries import Group, Sweep
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import listed, plural, short_value
from orchestrator.display.search_text import narrowed_text
from orchestrator.display.spending_text import away_row, used_text
from orchestrator.display.waiting import duration
from orchestrator.results.argument import place_of
from orchestrator.results.events import Opened
from orchestrator.results.prices import money
from orchestrator.results.repeats import repeats_text, searched
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.verdict import State
from orchestrator.space.narrowing import Narrowing
from orchestrator.space.objectives import best_text, called
from orchestrator.space.space import condition_text
from trainers.metric_names import maximised


def overview(group: Group) -> Part:
    """The table of each sweep, and the searched keys with their ranges."""
    return Part(
        name="overview",
        title="What was searched",
        short="Searched",
        values={"sweeps": [(sweep.name, _facts(sweep)) for sweep in group.sweeps], "searched": _searched(group)},
    )


def counts(sweep: Sweep) -> str:
    """``7 completed, 17 pruned``."""
    found = Counter(trial.state for trial in searched(sweep.state.trials.values()))
    return ", ".join(f"{found[state]} {state.lower()}" for state in State if found[state]) or "none started"


def _facts(sweep: Sweep) -> dict[str, str]:
    plan, state = sweep.plan, sweep.state
    drawn = ", drawn by --demo" if plan.synthetic else ""
    facts = {
        "space": _space(plan),
        **_training(sweep),
        "images": f"{plan.n_real:,} in {plan.data}{drawn}",
        "fingerprint": plan.fingerprint or "not recorded",
        "objective": f"{plan.objective}{_others(plan)}: the {best_text(plan.objectives[0])} in the window"
        + _confirming(plan.definition),
        "trials": f"{len(searched(state.trials.values()))} of {state.planned}: {counts(sweep)}",
        **({"training seeds": seeds} if (seeds := repeats_text(state)) else {}),
        "budget": _budget(state.budgets, plan.objectives[0]) or "none but the number of trials",
        "search": _search(sweep),
        "time": duration(state.seconds(sweep.until)),
        "resources": _resources(plan.resources),
        "versions": _versions(sweep),
    }
    if plan.warm_start:
        facts["warm start"] = f"its sampler was given the trials of {listed(plan.warm_start)}"
    if plan.narrowed and sweep.space is not None:
        facts["narrowed"] = narrowed_text(Narrowing(**plan.narrowed), sweep.space)
    if used := used_text(sweep.spent):
        facts["used"] = used
    facts |= away_row(state, sweep.until)
    return {**facts, "folder": place_of(sweep.store.directory)}


def _others(plan: SavedPlan) -> str:
    """The objectives besides the first."""
    return "".join(f" and {called(name)}" for name in plan.objectives[1:])


def _space(plan: SavedPlan) -> str:
    """Its name and description, and the size that was trained where the description names another, as with --demo."""
    description = str(plan.definition.get("description") or "")
    size = ((plan.definition.get("base") or {}).get("data") or {}).get("image_size")
    named = re.findall(r"\b(\d+) px", description)
    other = f" (this sweep ran at {size} px)" if named and size is not None and str(size) not in named else ""
    return f"{plan.space}: {description}{other}" if description else plan.space


def _training(sweep: Sweep) -> dict[str, str]:
    """Size and window of the trials; the epochs as their range where they are searched."""
    definition = sweep.plan.definition
    base = definition.get("base") or {}
    schedule, data = base.get("schedule") or {}, base.get("data") or {}
    if not ({"epochs", "window_first"} <= schedule.keys() and "image_size" in data):
        return {}
    ran = sorted({trial.total_epochs for trial in sweep.state.trials.values() if trial.total_epochs})
    epochs = f"{ran[0]} to {ran[-1]}" if len(ran) > 1 else f"{ran[0] if ran else schedule['epochs']}"
    window = f"{called(sweep.plan.objectives[0])} counts from epoch {schedule['window_first']} on"
    return {"training": f"{data['image_size']} px, {epochs} epochs, {window}"}


def _confirming(definition: dict[str, Any]) -> str:
    confirm = definition.get("confirm") or {}
    top, seeds = confirm.get("top", 0), confirm.get("seeds", 1)
    return f"; the best {top} are measured again at the end, on {plural(seeds, 'set')} of fresh latents" if top else ""


def _budget(budgets: dict[str, float | None], measure: str) -> str:
    time_s, gpu_hours, cost, target = (budgets.get(name) for name in ("time_s", "gpu_hours", "cost", "target_fid"))
    given = (
        f"{duration(time_s)}" if time_s is not None else "",
        f"{gpu_hours:g} GPU hours" if gpu_hours is not None else "",
        money(cost) if cost is not None else "",
        f"until an objective is {target:g} or {'more' if maximised(measure) else 'less'}" if target is not None else "",
    )
    return ", ".join(filter(None, given))


def _search(sweep: Sweep) -> str:
    if sweep.space is None:
        return "this version cannot read the space"
    return f"sampler {sweep.space.sampler.name}, {sweep.space.scheduler}"


def _resources(resources: dict[str, Any]) -> str:
    if not {"gangs", "workers", "gpus", "threads"} <= resources.keys():
        return "not recorded"
    each = f"{resources['gpus']:g} GPUs and {plural(resources['threads'], 'thread')} each"
    return f"{resources['gangs']} at once x {plural(resources['workers'], 'worker')}, {each}"


def _versions(sweep: Sweep) -> str:
    """Of gan-sweep, as launched and as each driver had it, with the days."""
    drivers = [event for event in sweep.events if isinstance(event, Opened)]
    runs = ", ".join(
        f"{event.version} on {time.strftime('%Y-%m-%d', time.localtime(event.at))}" for event in drivers[-3:]
    )
    earlier = f"{len(drivers) - 3} earlier, " if len(drivers) > 3 else ""
    return f"gan-sweep {earlier}{runs}" if drivers else f"gan-sweep {sweep.plan.version or 'not recorded'}"


def _searched(group: Group) -> list[tuple[str, str, str, str]]:
    """Key, range, what the search starts from, and under which condition it exists."""
    rows = []
    for sweep in group.sweeps:
        if sweep.space is None:
            continue
        base = sweep.space.base.flat()
        for name, domain in sweep.space.search.items():
            condition = condition_text(domain.when) if domain.when else ""
            rows.append((name, str(domain), short_value(base.get(name)), condition))
    return list(dict.fromkeys(rows))
