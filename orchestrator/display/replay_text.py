"""The output of ``gan-sweep replay``: tables for people, and the same as JSON."""

import math
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.replay.cutting import Cut
from orchestrator.replay.replay import Replayed, Total, total
from orchestrator.replay.tuning import Tuned
from orchestrator.space.yaml_text import dump_yaml


def as_object(replayed: list[Replayed], cut: Cut | None) -> dict[str, Any]:
    """What ``--json`` prints: ``{"runs": [...], "total": {...}}``; shares are from 0 to 1."""
    runs = [
        {
            "run": one.run.name,
            "stopped_at_step": one.stop.step if one.stop else None,
            "verdict": one.stop.trip.verdict if one.stop else None,
            "best_objective_kept": _finite(one.best_kept),
            "steps_saved": one.saved,
            "last_step": one.run.last_step,
            "best_objective": _finite(one.run.best()),
            "regret": _finite(one.regret),
            "collapsed": one.collapsed,
            "why": one.stop.trip.sentence if one.stop else None,
            "rules": {name: firing.step for name, firing in one.firings.items()},
        }
        for one in replayed
    ]
    sums = total_as_json(total(replayed))
    if cut is not None:
        sums["scheduler"] = {
            "name": cut.scheduler,
            "cut_at_step": cut.steps,
            "steps_saved": cut.saved,
            "best_kept": cut.best_kept,
        }
    return {"runs": runs, "total": sums}


def total_as_json(sums: Total) -> dict[str, Any]:
    """The totals of ``--json``."""
    return {
        "runs": sums.runs,
        "stopped": sums.stopped,
        "collapsed": sums.collapsed,
        "steps_saved": _finite(sums.saved),
        "steps_saved_on_collapsed": _finite(sums.saved_on_collapsed),
        "oracle_steps_saved_on_collapsed": _finite(sums.oracle_on_collapsed),
        "mean_regret": _finite(sums.mean_regret),
        "worst_regret": _finite(sums.worst_regret),
        "harmed": list(sums.harmed),
    }


def tuned_as_json(tuned: Tuned) -> dict[str, Any]:
    """What ``--tune --json`` prints."""
    return {
        "pruning": tuned.settings,
        "seen": total_as_json(tuned.seen),
        "unseen": total_as_json(tuned.unseen),
        "before": total_as_json(tuned.before),
        "folds": tuned.folds,
    }


def print_replay(console: Console, replayed: list[Replayed]) -> None:
    """Print a row for each run, and the totals below."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run", no_wrap=True, overflow="ellipsis", max_width=44)
    for name in ("best", "at", "stopped at", "saved", "best kept"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why")
    table.add_column("other rules")
    for one in replayed:
        table.add_row(*_cells(one), style="" if one.stop else "dim")
    console.print(table)
    print_total(console, total(replayed))


def _cells(one: Replayed) -> list[str]:
    run, stop = one.run, one.stop
    at = "-" if run.best_step is None else str(run.best_step)
    cells = [escape(run.name), _number(run.best()), at]
    if stop is None:
        return [*cells, "-", "-", "-", "no rule fires", ""]
    lost = f" (+{one.regret:.1%})" if one.regret > 0 else ""
    others = [f"{name} {firing.step}" for name, firing in one.firings.items() if firing is not stop]
    why = f"{stop.trip.verdict}: {stop.trip.sentence}"
    kept = f"{_number(one.best_kept)}{lost}"
    return [*cells, str(stop.step), f"{one.saved:.0%}", kept, escape(why), ", ".join(others)]


def print_total(console: Console, sums: Total) -> None:
    """Print what was saved and what it cost."""
    console.print(f"\n{sums.runs} runs, {sums.stopped} stopped: {sums.saved:.1%} of all steps saved", highlight=False)
    if sums.collapsed:
        console.print(
            f"{sums.collapsed} ended more than 10% above their best FID: {sums.saved_on_collapsed:.1%} of their steps "
            f"saved (a stop right at the best: {sums.oracle_on_collapsed:.1%})",
            highlight=False,
            soft_wrap=True,
        )
    harmed = f"; healthy runs that lost more than 5%: {', '.join(sums.harmed)}" if sums.harmed else ""
    console.print(
        f"best FID lost: {sums.mean_regret:.2%} on average, {sums.worst_regret:.2%} at worst{escape(harmed)}",
        highlight=False,
        soft_wrap=True,
    )


def print_cut(console: Console, cut: Cut, runs: int) -> None:
    """Print what the scheduler alone would have done."""
    best = "the run with the lowest FID kept it" if cut.best_kept else "and the run with the lowest FID lost it"
    console.print(
        f"{cut.scheduler} alone, with the runs as trials of one sweep: {len(cut.steps)} of {runs} cut, "
        f"{cut.saved:.1%} of all steps saved, {best}",
        highlight=False,
        soft_wrap=True,
    )


def print_tuned(console: Console, tuned: Tuned) -> None:
    """Print how the tuned settings compare, and the settings as YAML."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in ("saved", "on collapsed", "mean regret", "worst", "harmed"):
        table.add_column(name, justify="right")
    rows = {
        "the rules given": tuned.before,
        "tuned, on the runs that chose them": tuned.seen,
        f"tuned, on runs not seen ({tuned.folds} folds)": tuned.unseen,
    }
    for name, sums in rows.items():
        shares = (sums.saved, sums.saved_on_collapsed, sums.mean_regret, sums.worst_regret)
        table.add_row(name, *(f"{share:.1%}" for share in shares), str(len(sums.harmed)))
    console.print(table)
    console.print("\nfor a space, or a file for --rules:\n", style="dim")
    console.print(dump_yaml({"pruning": tuned.settings}), markup=False, highlight=False)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
