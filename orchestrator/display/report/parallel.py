"""Parallel coordinates: a line per trial through its searched values, coloured by its FID, which comes last."""

import math

from orchestrator.display.report.axes import Axis, even_ticks, setting_axis, ticks
from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.figures import Figure, is_wide, plain, short_names
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import fid_text, plural, refused_text, short_value, verb
from orchestrator.results.records import NOT_COUNTED
from orchestrator.space.objectives import called
from trainers.metric_names import FID, maximised

FEWEST = 2
NONE = "none"  # what the FID axis says of trials without one
AXIS_WIDTH = 78  # pixels that an axis needs at least, with its heading
THICK = 0.004  # of an axis: how far the lines lie apart that make the winner's a thick one

# Colours in a row, as shares of the scale: lines of trials by FID, then the winner's, then those that do not count
_SCALE = [
    [0, "--best"],
    [0.4, "--middle"],
    [0.8, "--worst"],
    [0.82, "--worst"],
    [0.83, "--marked"],
    [0.9, "--marked"],
    [0.91, "--failed"],
    [1, "--failed"],
]
_LAST, _WINNER, _FAILED = 0.8, 0.87, 1.0


def parallel(group: Group) -> Part:
    """All trials; of those without an objective, their lowest FID, and those without any at the top."""
    entries = [entry for entry in group.entries if lowest(entry) is not None or not entry.trial.open]
    varied = any(len({short_value(one.trial.params.get(name)) for one in entries}) > 1 for name in group.searched)
    drawn = len(entries) >= FEWEST and varied
    values = {
        "figure": _figure(group, entries) if drawn else None,
        "count": len(entries),
        "said": _said(group, entries),
        "stronger": f"{'higher' if maximised(group.measure) else 'lower'} its {called(group.measure)}",
        "width": AXIS_WIDTH * (len(group.searched) + 1),
    }
    return Part(name="parallel", title="Settings", values=values)


def lowest(entry: Entry) -> float | None:
    """Its objective, else its lowest FID; None where there is none that is finite."""
    value = entry.trial.lowest_fid if entry.trial.stands_for_none else entry.finite_objective
    return value if value is not None and math.isfinite(value) else None


def _said(group: Group, entries: list[Entry]) -> list[str]:
    """Sentences on how many trials there are, and where those stand that have no objective."""
    none = sum(lowest(entry) is None for entry in entries)
    early = sum(entry.finite_objective is None for entry in entries) - none
    later = len(group.entries) - len(entries)
    without = "a FID" if group.measure == FID else "an objective"
    given = [
        f"{early} without an objective {verb(early, 'stands', 'stand')} at the lowest FID, which {NOT_COUNTED}",
        f"{none} without {without} {verb(none, 'stands', 'stand')} at the top, in the colour of failures",
        f"{later} in training {verb(later, 'is', 'are')} not drawn before the first FID",
    ]
    shown = [text for text, count in zip(given, (early, none, later), strict=True) if count]
    what = "; ".join(shown) or f"{verb(len(group.entries), 'it has', 'all have')} an objective"
    sentences = [f"{plural(len(group.entries), 'trial')}: {what}."]
    if refused := refused_text([entry.trial.refused for entry in group.refused]):
        sentences.append(f"In the colour of failures too: {refused.removeprefix('† ')}.")
    return sentences


def _figure(group: Group, entries: list[Entry]) -> Figure:
    names = short_names(group.searched)
    axes = [{"label": plain(names[name]), **setting_axis(group, entries, name)} for name in group.searched]
    axes.append({"label": called(group.measure), **_fid_axis(entries)})
    colours = _colours(group, entries)
    if group.best_setting in entries:
        place = entries.index(group.best_setting)
        for axis in axes:
            axis["values"] += _beside(axis, place)
        colours += [colours[place]] * 2
    line = {"color": colours, "colorscale": _SCALE, "cmin": 0, "cmax": 1}
    trace = {"type": "parcoords", "dimensions": axes, "line": line, "labelangle": -22, "labelfont": {"size": 12}}
    return {"data": [trace], "layout": {"margin": {"l": 60, "r": 60, "t": 76, "b": 16}, "font": {"size": 12}}}


def _beside(axis: Axis, place: int) -> list[float]:
    """Values just above and below that of a trial: its line is three lines, since plotly draws all equally thin."""
    low, high = axis["range"]
    step = THICK * (high - low)
    return [max(low, axis["values"][place] - step), min(high, axis["values"][place] + step)]


def _fid_axis(entries: list[Entry]) -> Axis:
    """FIDs, and above them those trials that have none."""
    fids = [value for entry in entries if (value := lowest(entry)) is not None]
    if not fids:
        return {"values": [0.0] * len(entries), "range": [-1, 0], "tickvals": [0], "ticktext": [NONE]}
    wide = is_wide(fids)
    scaled = math.log10 if wide else float
    low, high = scaled(min(fids)), scaled(max(fids))
    if low == high:
        low, high = low - 0.5, high + 0.5
    top = high + 0.12 * (high - low)
    values = [top if (value := lowest(entry)) is None else scaled(value) for entry in entries]
    axis: Axis = {"values": values, "range": [low, high]}
    axis |= ticks(min(fids), max(fids)) if wide else even_ticks(low, high)
    margin = 0.06 * (high - low)  # the lowest and the highest have a tick, and no other is too near
    kept = [
        pair for pair in zip(axis["tickvals"], axis["ticktext"], strict=True) if low + margin < pair[0] < high - margin
    ]
    kept = [(scaled(min(fids)), fid_text(min(fids))), *kept, (scaled(max(fids)), fid_text(max(fids)))]
    axis |= {"tickvals": [mark for mark, _ in kept], "ticktext": [text for _, text in kept]}
    if top in values:
        marks, texts = axis["tickvals"], axis["ticktext"]
        axis |= {"range": [low, top], "tickvals": [*marks, top], "ticktext": [*texts, NONE]}
    return axis


def _colours(group: Group, entries: list[Entry]) -> list[float]:
    """Places on the scale: by FID, the highest tenth alike, so that a few wild ones do not make all others alike."""
    known = {
        entry.key: entry.trial.lower(value)
        for entry in entries
        if (value := lowest(entry)) is not None and not entry.refused
    }
    wide = is_wide(list(known.values()))
    scaled = {key: math.log10(value) if wide else value for key, value in known.items()}
    ordered = sorted(scaled.values()) or [0.0]
    low, high = ordered[0], ordered[int(0.9 * (len(ordered) - 1))]

    def place(entry: Entry) -> float:
        if entry.key not in scaled:
            return _FAILED
        if entry is group.best_setting:
            return _WINNER
        return _LAST * min(1.0, (scaled[entry.key] - low) / ((high - low) or 1.0))

    return [place(entry) for entry in entries]
