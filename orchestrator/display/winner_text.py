"""Text for people: the best trial, where its files are, and what to do with it."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from orchestrator.display.beside_text import beside_text, nearest_text
from orchestrator.display.constraints_text import constraints_text
from orchestrator.display.live import confirmed_text
from orchestrator.display.schedule_text import changed_rows
from orchestrator.results.argument import are_elsewhere, argument_of, files_argument_of, place_of
from orchestrator.results.lineage import best_of_lineage, lineage
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State, StopReason
from orchestrator.space.domains import value_text
from orchestrator.space.objectives import called, latents_text, number_text
from trainers.remote import child, uri_of


def counts_text(trials: Iterable[TrialRecord]) -> str:
    """``1 training, 7 completed, 16 pruned``: trials by state; one that the user ended counts as stopped."""
    by_user = StopReason.STOPPED_BY_USER
    counts = Counter(State.STOPPED if trial.verdict == by_user else trial.state for trial in trials)
    names = {State.RUNNING: "training"}
    return ", ".join(f"{counts[one]} {names.get(one, one.lower())}" for one in State if counts[one])


def counted(number: float, what: str) -> str:
    """``1 worker`` or ``2 workers``."""
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def won_with(best: TrialRecord) -> str:
    """The winner's objective: the confirmed one where there is one, and the one in training."""
    assert best.objective is not None
    own = number_text(best.objective)
    if not best.confirmed:
        return f"{own} at epoch {best.best_epoch}"
    over = f" over {latents_text(len(best.confirmed))}" if len(best.confirmed) > 1 else ""
    in_training = f"objective in training {own} at epoch {best.best_epoch}"
    return f"{confirmed_text(best, '.2f')}{over} ({in_training})"


def winner_rows(store: ResultsStore, objective: str, best: TrialRecord) -> dict[str, str]:
    """The best trial: its objective, how it can be the best where it was cut, its setting, and its files."""
    rows = {"best trial": f"{best.trial_id}: {objective} {won_with(best)}"}
    if (diversity := best.diversity) is not None:
        rows["diversity"] = f"its fakes vary {diversity:.0%} as much as the real images"
    if beside := beside_text(best):
        rows[f"beside {called(best.measure)}"] = beside
    if by_heart := nearest_text(best):
        rows["by heart"] = by_heart
    if constraints := constraints_text(best):
        rows["constraints"] = constraints
    if best.verdict is not None and best.state is not State.COMPLETED:
        ended = f"{best.verdict} after epoch {best.epochs} of {best.total_epochs}"
        rows["its end"] = f"{ended}; its best epoch counts all the same"
    rows["its setting"] = ", ".join(f"{name}={short(value)}" for name, value in best.params.items()) or "the base"
    rows |= changed_rows(store, best)
    grid = f"samples/epoch_{best.best_epoch:04d}.png"
    if not (store.trials_dir / best.trial_id / grid).exists():  # an older version wrote none of that epoch
        grid = "samples"
    return rows | {"samples": _place(store, best, grid), "checkpoint": _place(store, best, "best.pt")}


def _place(store: ResultsStore, trial: TrialRecord, file: str) -> str:
    """Where a trial's file is: on this machine, in the object store, or nowhere any more."""
    path = store.trials_dir / trial.trial_id / file
    if path.exists():
        return str(path)
    if uri_of(store.directory.parent) is not None:
        return child(place_of(store.directory), f"trials/{trial.trial_id}/{file}")
    return "none yet" if trial.open else "not there any more"


def earlier_rows(store: ResultsStore) -> dict[str, str]:
    """For a warm-started sweep, the best trial of it and of the sweeps that it builds on."""
    if not store.read_plan().warm_start or (found := best_of_lineage(store)) is None:
        return {}
    sweep, best = found
    count = len(list(lineage(store)))
    where = "this sweep" if sweep.directory == store.directory else f"earlier, in {sweep.directory}"
    return {
        "best of both"
        if count < 3
        else f"best of {count}": f"{sweep.directory.name}/{best.trial_id}: {won_with(best)} ({where})"
    }


def next_rows(store: ResultsStore, *, winner: bool) -> dict[str, str]:
    """The commands that show the sweep, and where there is a winner those that use it."""
    command = _command()
    rows = {"report": f"report {argument_of(store.directory)} --open"}
    if not are_elsewhere(store.directory):
        rows["in MLflow"] = f"ui {files_argument_of(store.directory)}"
        rows |= winner_commands(store) if winner else {}
    return {name: f"{command} {words}" for name, words in rows.items()}


def winner_commands(store: ResultsStore) -> dict[str, str]:
    """What gan-sweep is given to use the winner, by what comes of it."""
    sweep = files_argument_of(store.directory)
    return {
        "images": f"generate {sweep} --count 100 --out images",
        "endpoint": f"serve {sweep}",
        "export": f"export {sweep} --to onnx --out model",
    }


def resume_rows(store: ResultsStore) -> dict[str, str]:
    """The command that goes on with a sweep which was cut short."""
    return {"to go on": f"{_command()} resume {argument_of(store.directory)}"}


def results_rows(store: ResultsStore) -> dict[str, str]:
    """The command that shows all trials."""
    return {"all trials": f"{_command()} results {argument_of(store.directory)}"}


def print_rows(console: Console, rows: dict[str, str]) -> None:
    """Print texts, each beside its name."""
    width = max(map(len, rows), default=0)
    for name, text in rows.items():
        for number, line in enumerate(text.split("\n")):
            label = "" if number else name
            console.print(f"  [dim]{label:<{width}}[/]  {escape(line)}", highlight=False, soft_wrap=True)


def short(value: Any) -> str:
    """A value of a config in few digits."""
    return f"{value:.4g}" if isinstance(value, float) else value_text(value)


def _command() -> str:
    """How to call gan-sweep again from here: by name when that works, else by the path it was called with."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) or called.name != "gan-sweep":
        return "gan-sweep"
    return os.path.relpath(called)
