"""The Pareto front, where a sweep has two objectives."""

import math

from orchestrator.display.beside_text import amount_text
from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.figures import LOOKS, Figure, hollow, hover_text, is_wide, mark_of, plain
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import fid_text
from orchestrator.results.pareto import non_dominated
from orchestrator.results.repeats import keeping
from orchestrator.space.objectives import called, lower_is_better
from trainers.metric_names import FID, maximised, measurable


def front_of(group: Group) -> list[str]:
    """Keys of the trials of which no other is better in one and no worse in the other; as `pareto_front`."""
    points = {}
    kept = {id(trial) for trial in keeping([entry.trial for entry in group.entries if entry.trial.can_win])}
    for entry in group.entries:
        values = [entry.finite_objective, *(entry.trial.costs.get(name) for name in group.costs)]
        if id(entry.trial) in kept and all(value is not None and math.isfinite(value) for value in values):
            names = [group.measure, *group.costs]
            found = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            points[entry.key] = lower_is_better(found)
    return non_dominated(points)


def front(group: Group) -> Part:
    """The first objective against the second; for groups with one."""
    on_front, cost = front_of(group), group.costs[0]
    name = cost.replace("_", " ")
    data = []
    for look in LOOKS:
        own = [one for one in group.entries if one.look == look and _both(one, cost) and not one.refused]
        if own:
            data.append({**_trace(own, cost), "mode": "markers", "marker": mark_of(look), "name": look})
    if refused := [entry for entry in group.refused if _both(entry, cost)]:
        marker = {**hollow(mark_of("failed", 10)), "symbol": "circle-x-open"}
        data.append({**_trace(refused, cost), "mode": "markers", "marker": marker, "name": "refused"})
    chosen = sorted((e for e in group.entries if e.key in on_front), key=lambda entry: entry.trial.costs[cost])
    line = {
        "mode": "lines+markers",
        "line": {
            "color": "--ink",
            "width": 1.6,
            "shape": "vh" if maximised(cost) != maximised(group.measure) else "hv",
        },
        "name": "Pareto front",
    }
    data.append({**_trace(chosen, cost), **line, "marker": {"color": "--ink", "size": 6}})
    costs = [entry.trial.costs[cost] for entry in group.entries if _both(entry, cost)]
    layout = {
        "xaxis": {"title": {"text": plain(name)}, "type": "log" if is_wide(costs) else "linear"},
        "yaxis": {"title": {"text": f"objective ({called(group.measure)})"}},
        "hovermode": "closest",
    }
    rows = [(entry, fid_text(entry.trial.objective), amount_text(cost, entry.trial.costs[cost])) for entry in chosen]
    values = {"figure": {"data": data, "layout": layout} if costs else None, "rows": rows, "cost": name}
    values["refused"] = " or ".join(dict.fromkeys(entry.trial.refused for entry in refused))
    return Part(name="front", title="Pareto front", values=values)


def _both(entry: Entry, cost: str) -> bool:
    return entry.finite_objective is not None and math.isfinite(entry.trial.costs.get(cost, math.nan))


def _trace(entries: list[Entry], cost: str) -> Figure:
    form = ".3g" if cost in measurable() else ",.0f"
    measure = entries[0].trial.measure if entries else FID
    return {
        "type": "scatter",
        "x": [entry.trial.costs[cost] for entry in entries],
        "y": [entry.finite_objective for entry in entries],
        "customdata": [entry.key for entry in entries],
        "text": [plain(f"{entry.label}, {entry.name}{', refused' if entry.refused else ''}") for entry in entries],
        "hovertemplate": "trial %{text}<br>%{x:" + form + "}, " + hover_text(measure) + "<extra></extra>",
    }
