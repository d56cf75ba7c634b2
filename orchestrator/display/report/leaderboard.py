"""All trials in a table that sorts and filters."""

from typing import Any

from orchestrator.display.beside_text import amount_text, beside_means
from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.front import front_of
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import confirmed_text, fid_text, refused_text, short_value
from orchestrator.display.seeds_text import seeds_cell
from orchestrator.display.waiting import duration
from orchestrator.results.prices import CURRENCY, bare_money
from orchestrator.results.repeats import is_repeat

Cell = tuple[str, Any, bool]


def leaderboard(group: Group) -> Part:
    """A row per trial, the best first."""
    front = set(front_of(group)) if group.costs else set()
    confirmed = any(entry.trial.confirmed or entry.refused for entry in group.entries)
    rows = [
        _row(place, entry, group, confirmed) | {"front": entry.key in front}
        for place, entry in enumerate(group.entries, 1)
    ]
    left_out = (f"The {group.left_out:,} lowest ranked trials are left out of this page.",) if group.left_out else ()
    return Part(
        name="leaderboard",
        title="Leaderboard",
        values={
            "columns": _columns(group, confirmed),
            "rows": rows,
            "verdicts": list(dict.fromkeys(entry.name for entry in group.entries)),
            "refused": refused_text([one.trial.refused for one in group.refused]),
            "waiting": sum(not is_repeat(name) for sweep in group.sweeps for name in sweep.state.waiting),
        },
        notes=left_out,
    )


def _columns(group: Group, confirmed: bool) -> list[str]:
    measured = ["measured again"] if confirmed else []
    measured += ["training seeds"] if _repeated(group) else []
    measured += _beside(group)
    costs = [name.replace("_", " ") for name in group.costs]
    priced = [CURRENCY] if _priced(group) else []
    columns = ["rank", "trial", "objective", *measured, "best epoch", "epochs", "time", *priced, *costs, "verdict"]
    return [*columns, *group.searched]


def _beside(group: Group) -> list[str]:
    """What was measured beside FID, with the trials that were measured again."""
    return list(dict.fromkeys(name for entry in group.entries for name in beside_means(entry.trial)))


def _repeated(group: Group) -> bool:
    return any(entry.trial.repeats for entry in group.entries)


def _priced(group: Group) -> bool:
    return any(sweep.spent.whole.cost is not None for sweep in group.sweeps)


def _row(place: int, entry: Entry, group: Group, confirmed: bool) -> dict[str, Any]:
    """Cells: what they show, what they are sorted by (None last), and whether their column is one of numbers."""
    trial = entry.trial
    objective: tuple[str, Any] = (fid_text(trial.objective), entry.finite_objective)
    if entry.finite_objective is None and entry.merit[0] == 2:
        objective = (f"~{fid_text(trial.lowest_fid)}", None)
    if entry.refused:
        objective = (f"{objective[0]} †", None)
    cells: list[Cell] = [(str(place), place, True), (entry.label, entry.key, False), (*objective, True)]
    if confirmed:
        cells.append(("refused" if entry.refused else confirmed_text(trial) or "-", trial.objective_mean, True))
    if _repeated(group):
        cells.append((seeds_cell(trial, ".1f") or "-", trial.seeds.mean, True))
    means = beside_means(trial)
    cells += [(f"{means[name]:.3g}" if name in means else "-", means.get(name), True) for name in _beside(group)]
    cells += [
        (str(trial.best_epoch or "-"), trial.best_epoch, True),
        (f"{trial.epochs}/{trial.total_epochs}", trial.epochs, True),
        (duration(trial.seconds), trial.seconds, True),
        *([_cost(entry)] if _priced(group) else []),
        *((amount_text(name, trial.costs.get(name)), trial.costs.get(name), True) for name in group.costs),
        (entry.name, entry.name, False),
    ]
    for name in group.searched:
        value = trial.params.get(name)
        cells.append((short_value(value) if name in trial.params else "", value, isinstance(value, int | float)))
    return {"entry": entry, "cells": cells, "best": entry is group.best_setting}


def _cost(entry: Entry) -> Cell:
    cost = entry.sweep.spent.by_trial[entry.trial.trial_id].cost
    return ("-" if cost is None else bare_money(cost), cost, True)
