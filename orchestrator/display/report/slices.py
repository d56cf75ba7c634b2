"""FID against each searched key, and over the two that matter most."""

import math
from typing import Any

import numpy as np
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.figures import (
    LOOKS,
    SCALE,
    Figure,
    domain_of,
    hover_text,
    is_wide,
    log_ticks,
    mark_of,
    on_log_scale,
    plain,
    short_names,
)
from orchestrator.display.report.part import Part
from orchestrator.display.report.target import Target
from orchestrator.display.report.text import fid_text, short_value
from orchestrator.space.domains import Choice
from orchestrator.space.objectives import called
from trainers.metric_names import maximised

FEWEST = 20  # trials for a contour
FEWEST_PLACES = 4  # values of each of its keys
RESOLUTION = 90  # places along each side of it
MOST = 12  # slices


def slices(group: Group, target: Target, keys: list[str]) -> Part:
    """A plot per key in this order, then one of the first two that are numbers."""
    entries = [entry for entry in group.entries if entry.key in target.values]
    shown = keys[:MOST] if len(entries) > 1 else []
    names = short_names(group.searched)
    plots = [(name, _slice(group, entries, target, name, names[name])) for name in shown]
    numeric = [name for name in keys if not isinstance(domain_of(group, name), Choice)][:2]
    contour = _contour(group, target, entries, numeric) if len(numeric) == 2 and len(entries) >= FEWEST else None
    return Part(
        name="slices",
        title="Slices",
        values={
            "plots": plots,
            "looks": _looks(entries) if plots else {},
            "contour": contour,
            "pair": numeric,
            "target": target,
            "others": len(keys) - 2,
            "more": keys[MOST:],
        },
    )


def _looks(entries: list[Entry]) -> dict[str, str]:
    """The verdicts of each look among the trials: a legend for all plots."""
    found: dict[str, dict[str, None]] = {}
    for entry in entries:
        found.setdefault(entry.look, {})[entry.name] = None
    return {look: ", ".join(found[look]) for look in LOOKS if look in found}


def _slice(group: Group, entries: list[Entry], target: Target, name: str, short: str) -> Figure:
    domain, data = domain_of(group, name), []
    categorical = isinstance(domain, Choice)
    for look in LOOKS:
        own = [entry for entry in entries if entry.look == look and name in entry.trial.params]
        if not own:
            continue
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [_place(entry, name, categorical=categorical) for entry in own],
                "y": [target.values[entry.key] for entry in own],
                "customdata": [entry.key for entry in own],
                "text": [plain(f"{entry.label}, {entry.name}") for entry in own],
                "hovertemplate": f"trial %{{text}}<br>%{{x}}: {hover_text(group.measure)}<extra></extra>",
                "marker": mark_of(look),
            }
        )
    if group.best_setting in entries:
        ring = {"color": "rgba(0,0,0,0)", "symbol": "circle", "size": 15, "line": {"color": "--ink", "width": 1.8}}
        at = {
            "x": [_place(group.best_setting, name, categorical=categorical)],
            "y": [target.values[group.best_setting.key]],
        }
        data.append({"type": "scatter", "mode": "markers", **at, "marker": ring, "hoverinfo": "skip"})
    kind = "category" if categorical else "log" if on_log_scale(domain) else "linear"
    axis: dict[str, Any] = {"title": {"text": plain(short)}, "type": kind, "tickangle": 0, "nticks": 6}
    if isinstance(domain, Choice):
        axis |= {"categoryorder": "array", "categoryarray": [plain(short_value(value)) for value in domain.choice]}
    numbers = [entry.trial.params[name] for entry in entries if name in entry.trial.params]
    if kind == "log":
        axis["tickvals"], axis["ticktext"] = log_ticks(min(numbers), max(numbers))
    ys: dict[str, Any] = {
        "type": "log" if is_wide([target.values[entry.key] for entry in entries]) else "linear",
        "nticks": 5,
    }
    ys["title"] = {"text": plain(target.short), "standoff": 6}
    return {
        "data": data,
        "layout": {"xaxis": axis, "yaxis": ys, "showlegend": False, "margin": {"l": 52, "r": 8, "t": 8, "b": 44}},
    }


def _place(entry: Entry, name: str, *, categorical: bool) -> Any:
    value = entry.trial.params[name]
    return plain(short_value(value)) if categorical else value


def _contour(group: Group, target: Target, entries: list[Entry], pair: list[str]) -> Figure | None:
    """FID between the trials; None where they lie too close to one line to say anything."""
    own = [entry for entry in entries if all(name in entry.trial.params for name in pair)]
    logs = [on_log_scale(domain_of(group, name)) for name in pair]
    given = [np.array([float(entry.trial.params[name]) for entry in own]) for name in pair]
    places = [np.log10(values) if log else values for values, log in zip(given, logs, strict=True)]
    if any(len(np.unique(values)) < FEWEST_PLACES for values in places):
        return None
    fids = np.array([target.values[entry.key] for entry in own])
    lines = [np.linspace(values.min(), values.max(), RESOLUTION) for values in places]
    across, up = np.meshgrid(*lines)
    try:
        between = griddata(tuple(places), fids, (across, up), method="linear", rescale=True)
    except QhullError:
        return None
    bar = {"title": {"text": plain(target.name), "side": "right"}, "outlinewidth": 0, "thickness": 14}
    heat = {
        "type": "heatmap",
        "colorscale": SCALE,
        "reversescale": maximised(group.measure),
        "colorbar": bar,
        "hoverinfo": "skip",
    }
    heat |= {"x": lines[0].tolist(), "y": lines[1].tolist(), "z": np.round(between, 4).tolist()}
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": places[0].tolist(),
        "y": places[1].tolist(),
        "customdata": [entry.key for entry in own],
        "text": [
            plain(f"{entry.label}: {called(group.measure)} {fid_text(target.values[entry.key])}") for entry in own
        ],
        "hovertemplate": "trial %{text}<extra></extra>",
        "marker": {"color": "#ffffff", "size": 8, "line": {"color": "#1b1f24", "width": 1.4}},
    }
    axes: Figure = {}
    for axis, name, values, log in zip(("xaxis", "yaxis"), pair, given, logs, strict=True):
        axes[axis] = {"title": {"text": plain(name)}, "showgrid": False, "zeroline": False}
        if log:
            ticks, texts = log_ticks(values.min(), values.max())
            axes[axis] |= {"tickvals": [math.log10(tick) for tick in ticks], "ticktext": texts}
    return {"data": [heat, marks], "layout": {**axes, "showlegend": False, "hovermode": "closest"}}
