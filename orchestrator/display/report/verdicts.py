"""Verdicts: how many by each verdict, what it means, and what was seen."""

import inspect
import statistics
from typing import Any

from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import fid_text
from orchestrator.display.waiting import duration
from orchestrator.pruning import RULES
from orchestrator.results.verdict import Failure, StopReason
from trainers.run_report import RunEnd

MOST_SEEN = 8  # sentences of one verdict

_SENTENCES: dict[str, str] = {
    "training": "It still trains.",
    "paused": "It waits at a rung of the scheduler, and goes on when that says so.",
    RunEnd.COMPLETED: "It trained all of its epochs.",
    RunEnd.OUT_OF_MEMORY: "The device had too little memory for it.",
    StopReason.OUTRANKED: "The scheduler preferred other trials.",
    StopReason.OUT_OF_TIME: "The sweep's time budget ended.",
    StopReason.OUT_OF_GPU_HOURS: "The sweep's budget of GPU hours ended.",
    StopReason.OUT_OF_MONEY: "The sweep had cost what it may.",
    StopReason.TARGET_REACHED: "A trial of the sweep, this one or another, reached the target.",
    StopReason.INTERRUPTED: "The sweep was interrupted; a resume goes on with it.",
    StopReason.SWEEP_FAILED: "The sweep could not go on.",
    StopReason.STOPPED_BY_USER: "The user ended this trial alone.",
    Failure.ERROR: "It could not be run.",
    Failure.LOST: "Its workers failed or died more often than it may be retried.",
}


def verdicts(group: Group) -> Part:
    """A row per verdict, the most frequent first."""
    names = sorted({entry.name for entry in group.entries}, key=lambda name: (-_count(group, name), name))
    total = sum(entry.trial.seconds for entry in group.entries) or 1.0
    rows = [
        _row(name, [entry for entry in group.entries if entry.name == name], len(group.entries), total)
        for name in names
    ]
    return Part(name="verdicts", title="Verdicts", values={"rows": rows})


def sentence_of(verdict: str) -> str:
    """What a verdict means; empty for one that this version does not know."""
    if verdict in RULES:
        return (inspect.getdoc(RULES[verdict]) or "").splitlines()[0]
    return _SENTENCES.get(verdict, "")


def _row(name: str, entries: list[Entry], trials: int, total: float) -> dict[str, Any]:
    seconds = sum(entry.trial.seconds for entry in entries)
    objectives = [value for entry in entries if (value := entry.finite_objective) is not None]
    seen = [(entry, entry.detail) for entry in entries if entry.detail]
    return {
        "name": name,
        "look": entries[0].look,
        "sentence": sentence_of(name),
        "count": len(entries),
        "share": f"{len(entries) / trials:.0%}",
        "epochs": f"{statistics.median(entry.trial.epochs for entry in entries):g}",
        "time": duration(seconds),
        "time_share": f"{seconds / total:.0%}",
        "best": fid_text(min(objectives, key=entries[0].trial.lower, default=None)),
        "seen": seen[:MOST_SEEN],
        "more": max(0, len(seen) - MOST_SEEN),
    }


def _count(group: Group, name: str) -> int:
    return sum(entry.name == name for entry in group.entries)
