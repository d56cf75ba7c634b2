"""FID, or another objective, by epoch, with the window shaded and a mark at each measurement."""

from collections.abc import Callable

from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.figures import LOOKS, Figure, hollow, hover_text, is_wide, mark_of, plain
from orchestrator.display.report.part import Part
from orchestrator.space.objectives import best_text, called
from trainers.run_report import Measurement

MOST_MARKS = 3000  # beyond, only the last measurement of each trial has one
SIZE, SMALL = 8, 6  # pixels of the mark of a trial's last measurement, and of the others

Point = tuple[int | None, float | None, str | None, str]


def curves(group: Group) -> Part:
    """A line per trial, coloured by its verdict."""
    measured = [entry for entry in group.entries if entry.measured]
    fewer = any(_is_other(entry, one.n_fake) for entry in measured for one in entry.measured)
    what = called(group.measure)
    return Part(
        name="curves",
        title=f"{what[0].upper()}{what[1:]} by epoch",
        values={
            "figure": _figure(group, measured) if measured else None,
            "fewer": fewer,
            "window": _window(group),
            "best": best_text(group.measure),
        },
    )


def _figure(group: Group, measured: list[Entry]) -> Figure:
    data: list[Figure] = []
    chosen = _chosen(measured)
    for look, (colour, _) in LOOKS.items():
        for verdict in dict.fromkeys(entry.name for entry in measured if entry.look == look):
            own = [entry for entry in measured if entry.name == verdict and entry.look == look]
            lines = [point for entry in own for point in [*_points(entry, fewer=False), (None, None, None, "")]]
            first = [point for entry in own for point in [*_points(entry, fewer=True), (None, None, None, "")]]
            shared = {"legendgroup": verdict, "name": f"{plain(verdict)} ({len(own)})"}
            thin = {"mode": "lines", "hoverinfo": "skip", "showlegend": False, "opacity": 0.55}
            data.append({**_trace(lines, group.measure), **shared, **thin, "line": {"color": colour, "width": 1.4}})
            if any(point[0] is not None for point in first):
                data.append(
                    {
                        **_trace(first, group.measure),
                        **shared,
                        **thin,
                        "line": {"color": colour, "width": 1.2, "dash": "dot"},
                    }
                )
            for counts in (True, False):
                marks = [_mark(entry, one) for entry in own for one in chosen(entry) if _counts(entry, one) is counts]
                if not (marks or counts):
                    continue
                # The filled marks are in the legend, even where there are none
                trace = _trace([point for point, _ in marks] or [(None, None, None, "")], group.measure)
                mark = mark_of(look) if counts else hollow(mark_of(look))
                sizes = {"size": [size for _, size in marks] or SIZE, "opacity": 1}
                data.append({**trace, **shared, "mode": "markers", "marker": mark | sizes, "showlegend": counts})
    if (best := group.best) is not None and best.measured:
        line = {"color": "--ink", "width": 2.6}
        winner = {"name": f"winner, {plain(best.label)}", "mode": "lines+markers", "line": line}
        symbols = ["circle" if _counts(best, one) else "circle-open" for one in best.measured]
        data.append({**_trace(_points(best), group.measure), **winner, "marker": {"size": 6, "symbol": symbols}})
    values = [one.value for entry in measured for one in entry.measured]
    layout: Figure = {
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": called(group.measure)}, "type": "log" if is_wide(values) else "linear"},
        "hovermode": "closest",
    }
    if (window := _window(group)) is not None:
        shade = {"type": "rect", "xref": "x", "yref": "paper", "x0": window[0], "x1": window[1], "y0": 0, "y1": 1}
        layout["shapes"] = [{**shade, "fillcolor": "--accent", "opacity": 0.08, "line": {"width": 0}, "layer": "below"}]
        text = {"text": "window", "showarrow": False, "font": {"color": "--accent", "size": 12}}
        place = {"x": window[0], "xref": "x", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "top"}
        layout["annotations"] = [{**text, **place}]
    return {"data": data, "layout": layout}


def _chosen(measured: list[Entry]) -> Callable[[Entry], list[Measurement]]:
    """Which measurements have a mark: all, or in a large sweep the last of each trial."""
    every = sum(len(entry.measured) for entry in measured) <= MOST_MARKS
    return lambda entry: entry.measured if every else entry.measured[-1:]


def _counts(entry: Entry, one: Measurement) -> bool:
    return one.epoch in entry.counted


def _mark(entry: Entry, one: Measurement) -> tuple[Point, float]:
    """A measurement's mark and its size: the last one of a trial is larger."""
    return _point(entry, one), SIZE if one is entry.measured[-1] else SMALL


def _window(group: Group) -> tuple[int, int] | None:
    """From the epoch from which FID counts to the longest trial's last; None where it is not known or not one."""
    firsts = {sweep.space.base.schedule.window_first if sweep.space is not None else None for sweep in group.sweeps}
    first = firsts.pop()
    if firsts or first is None or "schedule.window_first" in group.searched:
        return None
    return first, max((entry.trial.total_epochs for entry in group.entries), default=first)


def _points(entry: Entry, *, fewer: bool | None = None) -> list[Point]:
    """Its measurements; only those on another number of fakes than the objective's, or without them."""
    chosen = [one for one in entry.measured if fewer is None or _is_other(entry, one.n_fake) is fewer]
    return [_point(entry, one) for one in chosen]


def _point(entry: Entry, one: Measurement) -> Point:
    why = "" if _counts(entry, one) else ", its fakes hardly vary" if one.collapsed else ", before the window"
    return one.epoch, one.value, entry.key, plain(f"{entry.label}, {entry.name}{why}")


def _is_other(entry: Entry, n_fake: int | None) -> bool:
    return n_fake is not None and 0 < entry.trial.n_fake != n_fake


def _trace(points: list[Point], measure: str) -> Figure:
    return {
        "type": "scatter",
        "x": [point[0] for point in points],
        "y": [point[1] for point in points],
        "customdata": [point[2] for point in points],
        "text": [point[3] for point in points],
        "hovertemplate": f"trial %{{text}}<br>epoch %{{x}}: {hover_text(measure)}<extra></extra>",
    }
