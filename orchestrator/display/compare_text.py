"""Two sweeps side by side, for people."""

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.display.fitting import GAP
from orchestrator.display.live import confirmed_text
from orchestrator.display.spending_text import saved_amount
from orchestrator.display.waiting import duration
from orchestrator.display.winner_text import counts_text, short
from orchestrator.results.comparison import Row, conclusion, differing
from orchestrator.results.prices import money
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.repeats import searched
from orchestrator.results.schedule import lineage_of
from orchestrator.results.spending import spending_of
from orchestrator.results.standing import last_sign
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.space.objectives import number_text
from trainers.config import flatten

LABEL = 25  # letters that the first column wants


def print_comparison(console: Console, first: ResultsStore, second: ResultsStore) -> None:
    """What differs in what was asked, how each went, and whether the winners differ.

    Names that columns have no room for stand above the tables.
    """
    states = first.read_state(), second.read_state()
    names = first.directory.name, second.directory.name
    if names[0] == names[1]:
        names = str(first.directory), str(second.directory)
    heads = names
    if max(map(len, names)) > (console.width - LABEL - 2 * GAP) // 2:
        heads = "first", "second"
        for head, name in zip(heads, names, strict=True):
            console.print(f"{head:<6}  {name}", markup=False, highlight=False, soft_wrap=True)
        console.print()
    rows = differing(*states)
    if rows:
        _print_table(console, "differs", heads, rows)
    else:
        console.print("asked for the same: space, images, objective, budgets, seed, version", soft_wrap=True)
    went = [_went(store, state) for store, state in zip((first, second), states, strict=True)]
    console.print()
    _print_table(console, "outcome", heads, [Row(name, went[0][name], went[1][name]) for name in went[0]])
    best = [best_trial(list(state.trials.values())) for state in states]
    settings = [_setting(state, trial) for state, trial in zip(states, best, strict=True)]
    keys = dict.fromkeys(key for trial in best if trial is not None for key in trial.params)
    texts = [Row(key, *(short(one[key]) if key in one else "-" for one in settings)) for key in keys]
    if unlike := [row for row in texts if row.first != row.second]:
        console.print()
        _print_table(console, "winner's setting", heads, unlike)
    console.print()
    for sentence in conclusion(*states, names):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _setting(state: SweepState, best: TrialRecord | None) -> dict[str, Any]:
    """Every key of what the winner's checkpoint was trained with at last; empty without a winner."""
    if best is None:
        return {}
    definition, reached = state.plan.definition, best.best_epoch or best.epochs
    found = flatten(definition.get("base", {})) | dict(lineage_of(state, best)[-1].params)
    for change in definition.get("changes", []):
        if change["from"] <= reached:
            found |= change["set"]
    return found


def _went(store: ResultsStore, state: SweepState) -> dict[str, str]:
    now = last_sign(store.directory, state)
    best, spent = best_trial(list(state.trials.values())), spending_of(state, now)
    own = searched(state.trials.values())
    found = {
        "status": str(store.standing(state).status),
        "trials": f"{len(own)} of {state.planned}: {counts_text(own) or 'none yet'}",
        "verdicts": _verdicts(state),
        "time": duration(state.seconds(now)),
        "GPU hours": f"{spent.whole.hours:.2f}" if spent.on_gpus else "none: CPUs",
        "cost": "no price" if spent.whole.cost is None else money(spent.whole.cost),
        "pruning saved": saved_amount(spent) if spent.saved.known else "nothing",
        "winner": "-",
        "in training": "-",
        "confirmed": "-",
        "on fresh latents": "-",
    }
    if best is not None and best.objective is not None:
        found["winner"] = best.trial_id
        found["in training"] = f"{number_text(best.objective)} at epoch {best.best_epoch}"
        found["confirmed"] = confirmed_text(best, ".2f") or "not measured again"
        found["on fresh latents"] = f"{count} set{'' if count == 1 else 's'}" if (count := len(best.confirmed)) else "-"
    return found


def _verdicts(state: SweepState) -> str:
    counts = Counter(trial.verdict for trial in state.by_number() if trial.verdict is not None)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()) or "-"


def _print_table(console: Console, what: str, names: tuple[str, str], rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(what, overflow="fold")
    for name in names:
        table.add_column(escape(name), overflow="fold", min_width=len(name))
    for row in rows:
        table.add_row(escape(row.name), escape(row.first), escape(row.second))
    console.print(table, highlight=False)
