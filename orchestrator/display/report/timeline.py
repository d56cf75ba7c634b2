"""Where the time of each gang went: a strip of training, FID, the rest of a trial, waiting and starting."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.display.report.entries import Entry, Group, Sweep
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import plural
from orchestrator.display.waiting import duration
from orchestrator.results.events import (
    Closed,
    Confirmed,
    Ended,
    GangDown,
    GangUp,
    Halting,
    Interrupted,
    Opened,
    Paused,
    Started,
)
from orchestrator.results.standing import last_sign

KINDS = {  # what a gang does: what the page calls it, in the order of its strips
    "train": "training",
    "fid": "FID",
    "other": "rest of a trial: building networks, samples, checkpoints",
    "again": "measuring the best again, or waiting for it",
    "idle": "waiting for a trial",
    "off": "not up: starting, starting again, or exiting",
}
WIDTH, HEIGHT = 1000, 22  # of a strip's drawing; it is stretched to the page
TICKS = 5


@dataclass(frozen=True)
class Span:
    """What a gang did from `start` to `end`, seconds since 1970."""

    kind: str
    start: float
    end: float


@dataclass(frozen=True)
class Lease:
    """A gang has had a trial from `start` to `end`."""

    trial: str
    start: float
    end: float


def timeline(group: Group) -> Part:
    """A strip per gang of each sweep, and what they add up to."""
    shown = [strips for sweep in group.sweeps if (strips := _strips(sweep, group)) is not None]
    return Part(name="timeline", title="Time", values={"sweeps": shown, "kinds": KINDS})


def gang_spans(sweep: Sweep, entries: Sequence[Entry]) -> dict[int, list[Span]]:
    """What each gang did while the sweep had a driver, in order and without gaps in a driver's time."""
    over = last_sign(sweep.store.directory, sweep.state)
    up, leases, again = _intervals(sweep, over)
    sessions = _sessions(sweep, over)
    histories = {entry.trial.trial_id: entry.history for entry in entries if entry.sweep is sweep}
    found = {}
    for gang, times in sorted(up.items()):
        spans: list[Span] = []
        for start, end in times:
            own = [lease for lease in leases[gang] if start <= lease.start < end]
            busy = [span for lease in own for span in _inside(lease, histories.get(lease.trial, ()), end)]
            spans += _filled(busy, start, end, again)
        spans += _between([(start, end) for start, end in times if end > start], sessions)
        found[gang] = sorted((span for span in spans if span.end > span.start), key=lambda span: span.start)
    return found


def _sessions(sweep: Sweep, over: float) -> list[tuple[float, float]]:
    """When the sweep had a driver."""
    spans = [(one.opened.at, one.closed.ended if one.closed is not None else over) for one in sweep.state.sessions]
    return [(start, max(start, end)) for start, end in spans]


def _between(times: list[tuple[float, float]], sessions: list[tuple[float, float]]) -> Iterator[Span]:
    """The times of the drivers in which a gang was not up."""
    for start, end in sessions:
        at = start
        for first, last in times:
            if start <= first < end:
                yield Span("off", at, first)
                at = max(at, last)
        yield Span("off", at, end)


def _intervals(
    sweep: Sweep, over: float
) -> tuple[dict[int, list[tuple[float, float]]], dict[int, list[Lease]], list[tuple[float, float]]]:
    """When gangs were up, their leases, and when trials were measured again at the end."""
    up: dict[int, list[tuple[float, float]]] = defaultdict(list)
    leases: dict[int, list[Lease]] = defaultdict(list)
    again: list[tuple[float, float]] = []
    since: dict[int, float] = {}
    held: dict[str, tuple[int, float]] = {}
    ending: float | None = None

    def close(at: float) -> None:
        nonlocal ending
        for trial, (gang, start) in held.items():
            leases[gang].append(Lease(trial, start, at))
        for gang, start in since.items():
            up[gang].append((start, at))
        held.clear()
        since.clear()
        ending = None

    last = over
    for event in sweep.events:
        match event:
            case Opened():
                close(last)  # of a driver that has died
            case GangUp(gang=gang):
                since.setdefault(gang, event.at)
            case GangDown(gang=gang) if gang in since:
                up[gang].append((since.pop(gang), event.at))
            case Started(trial=trial, gang=gang):
                held[trial] = gang, event.at
                since.setdefault(gang, event.at)
            case Ended(trial=trial) | Interrupted(trial=trial) | Paused(trial=trial) if trial in held:
                gang, start = held.pop(trial)
                leases[gang].append(Lease(trial, start, event.at))
            case Halting(gangs_exit=False):
                ending = event.at
            case Confirmed() if ending is not None:
                again.append((ending, event.at))
            case Closed(ended=ended):
                close(ended)
        last = event.at
    close(over)
    return up, leases, again


def _inside(lease: Lease, history: Sequence[Any], over: float) -> Iterator[Span]:
    """What was done for a trial during a lease."""
    at, end = lease.start, min(lease.end, over)
    for report in history:
        if not lease.start <= report.started <= end:
            continue
        fid = report.measurement.seconds if report.measurement is not None else 0.0
        marks = [report.started, report.trained, min(report.trained + fid, report.ended), report.ended]
        for kind, until in zip(("other", "train", "fid", "other"), marks, strict=True):
            until = min(max(until, at), end)
            yield Span(kind, at, until)
            at = until
    yield Span("other", at, end)


def _filled(busy: list[Span], start: float, end: float, again: list[tuple[float, float]]) -> list[Span]:
    """`busy`, with what lies between; neighbours of one kind are one."""
    spans, at = [], start
    for span in [*sorted(busy, key=lambda one: one.start), Span("idle", end, end)]:
        if span.start > at:
            cuts = [max(at, first) for first, _ in again[:1]], [min(span.start, last) for _, last in again[-1:]]
            if again and cuts[0][0] < cuts[1][0]:
                spans += [Span("idle", at, cuts[0][0]), Span("again", cuts[0][0], cuts[1][0])]
                at = cuts[1][0]
            spans.append(Span("idle", at, span.start))
        spans.append(span)
        at = max(at, span.end)
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].kind == span.kind and joined[-1].end == span.start:
            joined[-1] = Span(span.kind, joined[-1].start, span.end)
        elif span.end > span.start:
            joined.append(span)
    return joined


def _strips(sweep: Sweep, group: Group) -> dict[str, Any] | None:
    gangs = gang_spans(sweep, group.every)
    over = last_sign(sweep.store.directory, sweep.state)
    sessions, leases = _sessions(sweep, over), _intervals(sweep, over)[1]
    entries = {entry.trial.trial_id: entry for entry in group.every if entry.sweep is sweep}
    total = sum(end - start for start, end in sessions)
    if not any(gangs.values()) or total <= 0:
        return None

    def place(at: float) -> float:
        """Where a moment is on the strip: the time without a driver is left out."""
        return sum(min(max(at - start, 0.0), end - start) for start, end in sessions) / total

    rows: list[dict[str, Any]] = []
    for gang, spans in gangs.items():
        seconds: dict[str, float] = defaultdict(float)
        paths: dict[str, list[str]] = defaultdict(list)
        for span in spans:
            seconds[span.kind] += span.end - span.start
            left, right = WIDTH * place(span.start), WIDTH * place(span.end)
            paths[span.kind].append(f"M{left:.2f} 0H{right:.2f}V{HEIGHT}H{left:.2f}Z")
        whole = sum(seconds.values())
        shares = {kind: (duration(seconds[kind]), f"{seconds[kind] / whole:.0%}") for kind in KINDS}
        drawn = {kind: "".join(paths[kind]) for kind in KINDS if kind in paths}
        trials = [_over(lease, place, entries.get(lease.trial)) for lease in leases[gang] if lease.end > lease.start]
        rows.append({"gang": gang, "paths": drawn, "shares": shares, "trials": trials})
    ticks = [duration(total * tick / (TICKS - 1)) for tick in range(TICKS)]
    used = {kind: text for kind, text in KINDS.items() if any(kind in row["paths"] for row in rows)}
    return {"name": sweep.name, "rows": rows, "ticks": ticks, "kinds": used, "breaks": len(sessions) - 1}


def _over(lease: Lease, place: Callable[[float], float], entry: Entry | None) -> dict[str, Any]:
    """Where a trial lies on a strip, and what is said of it there."""
    left, right = WIDTH * place(lease.start), WIDTH * place(lease.end)
    said = f"trial {lease.trial}, {duration(lease.end - lease.start)}"
    if entry is not None:
        said += f": {entry.name}, {plural(entry.trial.trained, 'epoch')}"
    key = entry.key if entry is not None else ""
    return {"x": f"{left:.2f}", "width": f"{max(right - left, 0.5):.2f}", "said": said, "key": key}
