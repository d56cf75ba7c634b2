"""Text for people: how sweeps stand."""

import time
from collections import Counter
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.results.argument import argument_of
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.standing import Standing
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State, SweepStatus

WIDE = 120  # a list of sweeps may be wider than the terminal: names are there to be copied, and never cut


def print_all(console: Console, sweeps: list[tuple[ResultsStore, SweepState | str]]) -> None:
    """One row per sweep; for one that cannot be read, the reason in place of its state."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    notes = []  # below the table, which is wide enough without them
    for name in ("sweep", "status", "trials", "best", "GPU hours", "time"):
        justify: Literal["left", "right"] = "left" if name in ("sweep", "status") else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for store, state in sweeps:
        if isinstance(state, str):
            table.add_row(store.directory.name, "unreadable", "-", "-", "-", "-")
            notes.append(f"{store.directory.name}: {state}")
            continue
        standing, now = store.standing(state), time.time()
        best = best_trial(list(state.trials.values()))
        objective = "-" if best is None or best.objective is None else f"{best.objective:.1f}"
        row = [store.directory.name, standing.status, f"{_over(state)}/{state.planned}", objective]
        hours = f"{state.gpu_hours(now):.1f}" if state.plan.gang_gpus else "-"
        table.add_row(*row, hours, duration(state.seconds(now)))
        if standing.detail:
            notes.append(f"{store.directory.name}: {standing.detail}")
    width, console.width = console.width, max(console.width, WIDE)
    console.print(table)
    console.width = width
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def print_one(console: Console, store: ResultsStore, state: SweepState) -> None:
    """Where it runs, its trials by state, what it has used, what it waits for, and when it may end."""
    standing, now = store.standing(state), time.time()
    rows = {"status": f"{standing.status}{': ' if standing.detail else ''}{standing.detail}"}
    if state.is_open:
        opened = state.sessions[-1].opened
        rows["where"] = f"process {opened.pid} on {opened.host}, since {_at(opened.at)}"
        rows["Ray"] = state.plan.address or "on that host"
    counts = Counter(trial.state for trial in state.trials.values())
    states = [f"{counts[one]} {one.lower()}" for one in State if counts[one]] + [f"{len(state.waiting)} waiting"]
    rows["trials"] = f"{len(state.trials)} of {state.planned}: {', '.join(states)}"
    best = best_trial(list(state.trials.values()))
    if best is not None and best.objective is not None:
        rows["best"] = f"{best.trial_id}: {state.plan.objective} {best.objective:.2f} at epoch {best.best_epoch}"
    gpus = f", {state.gpu_hours(now):.2f} GPU hours" if state.plan.gang_gpus else ""
    rows["used"] = duration(state.seconds(now)) + gpus
    if state.is_open:
        rows["now"] = _doing(state)
        if state.short:
            rows["workers"] = ", ".join(state.short)
        if (left := seconds_left(state)) is not None:
            rows["left"] = f"about {duration(left)}, from the trials so far"
    _print(console, store, standing, rows)


def seconds_left(state: SweepState) -> float | None:
    """An estimate: the trials that are left take as long as those that are over did; None before the first."""
    over = [trial for trial in state.trials.values() if trial.over]
    if not over:
        return None
    mean = sum(trial.seconds for trial in over) / len(over)
    left = max(0.0, (state.planned - len(over)) * mean - sum(trial.seconds for trial in state.open_trials()))
    return left / max(1, state.plan.resources.get("gangs", len(state.gangs)))


def duration(seconds: float) -> str:
    """``2 h 05 min``, ``3 min 20 s`` or ``45 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def _doing(state: SweepState) -> str:
    if state.halting is not None:
        return "ending: the best trials are measured again" if not state.halting.gangs_exit else "ending"
    if not state.gangs and not state.interrupted and not state.holders:
        return "waiting for the gangs to start"
    training = [_short(state.trials[name]) for name in state.holders if name in state.trials]
    if state.interrupted:
        training.append(f"{len(state.interrupted)} waiting for a gang again")
    return ", ".join(training) or "waiting for the next trial, or measuring the best again"


def _short(trial: TrialRecord) -> str:
    return f"trial {trial.trial_id} at epoch {trial.epochs}/{trial.total_epochs}"


def _over(state: SweepState) -> int:
    return sum(trial.over for trial in state.trials.values())


def _at(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _print(console: Console, store: ResultsStore, standing: Standing, rows: dict[str, str]) -> None:
    if standing.status in (SweepStatus.INTERRUPTED, SweepStatus.FAILED):
        rows["to go on"] = f"gan-sweep resume {argument_of(store.directory)}"
    console.print(store.directory.name, markup=False, highlight=False)
    width = max(map(len, rows))
    for name, text in rows.items():
        console.print(f"  [dim]{name:<{width}}[/]  {escape(text)}", highlight=False, soft_wrap=True)
