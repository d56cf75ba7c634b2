"""Text for people: plans, spaces, results."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.display.live import MOST_ROWS, confirmed_text, trials_table
from orchestrator.display.search_text import front_rows, sampler_hints, search_rows
from orchestrator.results.argument import argument_of, place_of
from orchestrator.results.lineage import best_of_lineage
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State, SweepStatus
from orchestrator.space.domains import Domain, value_text
from orchestrator.space.space import Space, condition_text
from trainers.remote import shown

if TYPE_CHECKING:
    from orchestrator.plan.plan import Plan
    from orchestrator.search.warm_start import WarmStart

SLOW_FAKES = 2000  # EfficientNet-Lite0 measures some 440 images/s on 2 cores, Inception 14


def print_plan(console: Console, plan: Plan, caches: list[Any], warm: WarmStart | None = None) -> None:
    """Print the plan in a few lines."""
    from orchestrator.plan.disk import free_bytes
    from orchestrator.plan.memory import gb
    from trainers.data import report_path
    from trainers.families import find_family

    space, resources = plan.space, plan.resources
    schedule, data = space.base.schedule, space.base.data
    folders = {cache.report.source: cache for cache in reversed(caches)}
    images = [_images(cache.report, report_path(cache.path)) for cache in reversed(folders.values())]
    if len(images) > 1:
        sources = find_family(space.base).find_sources(plan.data)
        images = [f"{name.capitalize()}: {text}" for name, text in zip(sources, images, strict=True)]
    budgets = f", {plan.budgets}" if str(plan.budgets) else ""
    window = f"FID counts from epoch {schedule.window_first} on"
    where = plan.address or "this machine"
    at_least = f", at least {resources.min_workers}," if resources.elastic else ""
    disk_row = {}
    if plan.disk is not None:
        free = gb(free_bytes(plan.directory))
        disk_row["disk"] = f"about {gb(plan.disk.total)} of {free} free"
    rows = {
        "sweep": f"{plan.sweep}: space {space.name}, {plan.trials} trials{budgets}",
        "images": "\n".join(images),
        "training": f"{data.image_size} px, {schedule.epochs} epochs, {window}",
        "objective": f"{plan.metric}, lowest in the window{_measuring_text(space)}",
        "searched": ", ".join(space.search) or "nothing",
        **search_rows(plan, warm),
        "where": f"{resources.gangs} at once x {resources.workers} workers{at_least} on {where}, "
        f"{resources.gpus:g} GPUs and {resources.threads} threads each",
        **disk_row,
        "results": place_of(plan.directory),
    }
    _print_rows(console, rows)
    if resources.gpus == 0 and space.base.fid.n_fake > SLOW_FAKES:
        hint = f"[yellow]{space.base.fid.n_fake} fakes per FID take long without a GPU;[/] to try: --set fid.n_fake=256"
        console.print(hint, soft_wrap=True)
    for hint in sampler_hints(space):
        console.print(f"[yellow]{escape(hint)}[/]", highlight=False, soft_wrap=True)


def _measuring_text(space: Space) -> str:
    """The number of fakes before the window, and how many trials are measured again at the end."""
    first, confirm = space.base.fid.n_fake_first, space.confirm
    fewer = f"; n{first} at first" if first is not None else ""
    times = "once" if confirm.seeds == 1 else f"{confirm.seeds} times"
    return fewer + (f"; the best {confirm.top} are measured again, {times} each" if confirm.top else "")


def _images(report: Any, path: Path) -> str:
    listed = f"; skipped files are listed in {path}" if report.skipped else ""
    return f"{report.summary()} in {shown(Path(report.source))}{listed}"


def print_winner(console: Console, plan: Plan, store: ResultsStore) -> None:
    """Print the best trial, where its samples and checkpoint are, and the commands that show everything."""
    state = store.read_state()
    trials, status = state.by_number(), state.status
    counts = ", ".join(f"{count} {state.lower()}" for state in list(State)[1:] if (count := _count(trials, state)))
    ending = status.replace("_", " ").replace("gpu", "GPU")
    console.print(f"\n{ending}: {len(trials)} of {state.planned} trials{counts and ': '}{counts}")
    best = best_trial(trials)
    if best is None:
        console.print("no trial has an objective: none was measured inside its window with fakes that vary")
        rows = _earlier_rows(store)
    else:
        folder = store.trials_dir / best.trial_id
        rows = {
            "best trial": f"{best.trial_id}: {plan.metric} {_won_with(best)}",
            "its setting": ", ".join(f"{name}={_short(value)}" for name, value in best.params.items()) or "the base",
            "samples": str(_samples(folder, best)),
            "checkpoint": str(folder / "best.pt"),
            **front_rows(trials),
            **_earlier_rows(store),
        }
    sweep = argument_of(store.directory)
    command = _command()
    rows |= {"all trials": f"{command} results {sweep}", "in MLflow": f"{command} ui {sweep}"}
    _print_rows(console, rows)


def _earlier_rows(store: ResultsStore) -> dict[str, str]:
    """For a warm-started sweep, the best trial of it and of the sweeps that it builds on."""
    if store.read_plan().warm_start is None or (found := best_of_lineage(store)) is None:
        return {}
    sweep, best = found
    where = "this sweep" if sweep.directory == store.directory else f"earlier, in {sweep.directory}"
    return {"best of both": f"{sweep.directory.name}/{best.trial_id}: {_won_with(best)} ({where})"}


def _samples(folder: Path, trial: TrialRecord) -> Path:
    """The sample grid of a trial's best epoch, or where an older version wrote none, the folder of its grids."""
    grid = folder / "samples" / f"epoch_{trial.best_epoch:04d}.png"
    return grid if grid.exists() else grid.parent


def print_results(console: Console, store: ResultsStore) -> None:
    """Print the table of a sweep's trials and its best trial."""
    state = store.read_state()
    trials, standing = state.by_number(), store.standing(state)
    plan = state.plan
    console.print(f"{plan.sweep}: {standing.status}, {len(trials)} of {state.planned} trials, {plan.objective}")
    if standing.detail:
        console.print(standing.detail, markup=False, highlight=False, soft_wrap=True)
    if standing.status in (SweepStatus.INTERRUPTED, SweepStatus.FAILED):
        _print_rows(console, {"to go on": f"{_command()} resume {argument_of(store.directory)}"})
    console.print(trials_table(trials, rows=MOST_ROWS))
    if front := front_rows(trials):
        _print_rows(console, {f"{name} (+)": text for name, text in front.items()})
    best = best_trial(trials)
    if best is not None:
        _print_rows(console, {f"best: {best.trial_id}": ""} | {k: _short(v) for k, v in best.params.items()})
    _print_rows(console, _earlier_rows(store))


def print_space(console: Console, space: Space) -> None:
    """Print what a space searches, and what it starts from."""
    console.print(f"{space.name}: {space.description}", markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("searched", no_wrap=True)
    for name in ("range", "base", ""):
        table.add_column(name)
    base = space.base.flat()
    for name, depth in _as_tree(space):
        domain = space.search[name]
        table.add_row("  " * depth + name, escape(str(domain)), escape(_short(base[name])), escape(_condition(domain)))
    console.print(table)
    fixed = {name: _short(value) for name, value in base.items() if name not in space.search}
    console.print("\nfixed", style="dim")
    _print_rows(console, fixed)
    console.print(f"\nsampler {space.sampler.name}, {space.scheduler}; {space.trials} trials", soft_wrap=True)
    console.print(f"objective: the lowest FID in the window{_measuring_text(space)}", highlight=False, soft_wrap=True)


def _condition(domain: Domain) -> str:
    """When a key exists; short where its row is right below the only key that it depends on."""
    if len(domain.when) != 1:
        return condition_text(domain.when) if domain.when else ""
    (values,) = domain.when.values()
    return f"with {' | '.join(map(str, values))}"


def _as_tree(space: Space) -> list[tuple[str, int]]:
    """The searched keys and their depths: a conditional key is below the last searched key that it depends on."""
    parents = {name: [key for key in domain.when if key in space.search] for name, domain in space.search.items()}

    def below(parent: str | None, depth: int) -> list[tuple[str, int]]:
        children = [name for name in space.search if (parents[name][-1] if parents[name] else None) == parent]
        return [row for name in children for row in ((name, depth), *below(name, depth + 1))]

    return below(None, 0)


def _print_rows(console: Console, rows: dict[str, str]) -> None:
    width = max(map(len, rows), default=0)
    for name, text in rows.items():
        for number, line in enumerate(text.split("\n")):
            label = "" if number else name
            console.print(f"  [dim]{label:<{width}}[/]  {escape(line)}", highlight=False, soft_wrap=True)


def _command() -> str:
    """How to call gan-sweep again from here: by name when that works, else by the path it was called with."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) or called.name != "gan-sweep":
        return "gan-sweep"
    return os.path.relpath(called)


def _count(trials: list[TrialRecord], state: State) -> int:
    return sum(trial.state is state for trial in trials)


def _won_with(best: TrialRecord) -> str:
    """The winner's FID: the confirmed one where there is one, and the one in training."""
    if not best.confirmed:
        return f"{best.objective:.2f} at epoch {best.best_epoch}"
    seeds = f" over {len(best.confirmed)} seeds" if len(best.confirmed) > 1 else ""
    in_training = f"objective in training {best.objective:.2f} at epoch {best.best_epoch}"
    return f"{confirmed_text(best, '.2f')}{seeds} ({in_training})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value_text(value)
