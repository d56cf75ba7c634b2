"""Text for people: how sweeps stand."""

import time
from typing import Literal

from rich.console import Console
from rich.table import Table

from orchestrator.display.live import confirmed_text
from orchestrator.display.seeds_text import seeds_rows
from orchestrator.display.spending_text import used_text
from orchestrator.display.waiting import doing_text, duration, left_text
from orchestrator.display.winner_text import counts_text, print_rows, resume_rows, won_with
from orchestrator.results.argument import ray_text
from orchestrator.results.now import read_now
from orchestrator.results.prices import money
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.repeats import is_repeat, repeats_text, searched
from orchestrator.results.spending import spending_of
from orchestrator.results.standing import Standing, last_sign
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.objectives import number_text

WIDE = 120  # a list of sweeps may be wider than the terminal: names are there to be copied, and never cut


def print_all(console: Console, sweeps: list[tuple[ResultsStore, SweepState | str]]) -> None:
    """One row per sweep; for one that cannot be read, the reason in place of its state."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    notes = []  # below the table, which is wide enough without them
    for name in ("sweep", "status", "trials", "best", "GPU hours", "cost", "time"):
        justify: Literal["left", "right"] = "left" if name in ("sweep", "status") else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for store, state in sweeps:
        if isinstance(state, str):
            table.add_row(store.directory.name, "unreadable", *"-----")
            notes.append(f"{store.directory.name}: {state}")
            continue
        standing, now = store.standing(state), last_sign(store.directory, state)
        own, best = searched(state.trials.values()), best_trial(list(state.trials.values()))
        lowest = "-" if best is None else confirmed_text(best, ".1f") or number_text(best.objective or 0.0, ".1f")
        row = [store.directory.name, standing.status, f"{len(own)}/{state.planned}", lowest]
        hours = f"{state.gpu_hours(now):.1f}" if state.plan.gang_gpus else "-"
        cost = state.cost(now)
        table.add_row(*row, hours, "-" if cost is None else money(cost), duration(state.seconds(now)))
        if standing.detail:
            notes.append(f"{store.directory.name}: {standing.detail}")
    width, console.width = console.width, max(console.width, WIDE)
    console.print(table)
    console.width = width
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def print_one(console: Console, store: ResultsStore, state: SweepState) -> None:
    """Where it runs, its trials by state, what it has used, what it waits for, and when it may end."""
    standing, now = store.standing(state), last_sign(store.directory, state)
    # One whose driver gives no sign does not run, whatever its log says.
    runs = state.is_open and standing.status is SweepStatus.RUNNING
    rows = {"status": f"{standing.status}{': ' if standing.detail else ''}{standing.detail}"}
    if runs:
        opened = state.sessions[-1].opened
        rows["where"] = f"process {opened.pid} on {opened.host}, since {_at(opened.at)}"
        rows["Ray"] = "on that host" if state.plan.address is None else ray_text(state.plan.address, "that host")
    own = searched(state.trials.values())
    counts = filter(None, (counts_text(own), f"{sum(not is_repeat(name) for name in state.waiting)} waiting"))
    rows["trials"] = f"{len(own)} of {state.planned}: {', '.join(counts)}"
    if seeds := repeats_text(state):
        rows["trained again"] = seeds
    best = best_trial(list(state.trials.values()))
    if best is not None:
        rows["best"] = f"{best.trial_id}: {state.plan.objective} {won_with(best)}"
    rows |= seeds_rows(list(state.trials.values()), best)
    rows["used"] = ", ".join(filter(None, (duration(state.seconds(now)), used_text(spending_of(state, now)))))
    if runs:
        if doing := _doing(state, store):
            rows["now"] = doing
        if state.short:
            rows["workers"] = ", ".join(state.short)
        if left := left_text(state):
            rows["left"] = f"{left.removesuffix(' left')}, from the trials so far"
    _print(console, store, standing, rows)


def _doing(state: SweepState, store: ResultsStore) -> str:
    if not state.halting and not state.gangs and not state.interrupted and not state.holders:
        return "waiting for the gangs to start"
    training = [_short(state.trials[name], store) for name in state.holders if name in state.trials]
    if state.interrupted:
        training.append(f"{len(state.interrupted)} waiting for a gang again")
    idle = "" if state.halting else "waiting for the next trial"  # at its end the status says it
    return ", ".join(training) or idle


def _short(trial: TrialRecord, store: ResultsStore) -> str:
    now = read_now(store.directory, trial)
    doing = f" ({doing_text(now, bar=False)})" if now is not None else ""
    epoch = trial.epochs if now is None else max(trial.epochs, now.epoch - 1)  # of one that goes on from a checkpoint
    return f"trial {trial.trial_id} at epoch {epoch}/{trial.total_epochs}{doing}"


def _at(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _print(console: Console, store: ResultsStore, standing: Standing, rows: dict[str, str]) -> None:
    if standing.status in (SweepStatus.INTERRUPTED, SweepStatus.FAILED):
        rows |= resume_rows(store)
    console.print(store.directory.name, markup=False, highlight=False)
    print_rows(console, rows)
