"""Text for people: plans, spaces, results."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.display.advice.advice import advice_on
from orchestrator.display.advice.finding import Finding
from orchestrator.display.live import MOST_ROWS, trials_table
from orchestrator.display.schedule_text import schedule_rows
from orchestrator.display.search_text import front_rows, sampler_hints, search_rows
from orchestrator.display.seeds_text import seeds_rows
from orchestrator.display.spending_text import away_row, cost_column, spending_rows
from orchestrator.display.winner_text import (
    counted,
    counts_text,
    earlier_rows,
    next_rows,
    print_rows,
    results_rows,
    resume_rows,
    short,
    winner_rows,
)
from orchestrator.results.argument import VIA, place_of, ray_text
from orchestrator.results.records import NOT_COUNTED, TrialRecord, best_trial
from orchestrator.results.repeats import repeats_text, searched
from orchestrator.results.spending import spending_of
from orchestrator.results.standing import last_sign
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.domains import Domain
from orchestrator.space.objectives import best_text, called, latents_text
from orchestrator.space.space import Space, condition_text
from trainers.fid_schedule import first_measurement
from trainers.metric_names import maximised
from trainers.remote import shown

if TYPE_CHECKING:
    from orchestrator.plan.plan import Plan
    from orchestrator.plan.resources import Resources
    from orchestrator.search.warm_start import WarmStart

SLOW_FAKES = 2000  # EfficientNet-Lite0 measures some 440 images/s on 2 cores, Inception 14


def print_plan(console: Console, plan: Plan, caches: list[Any], warm: WarmStart | None = None) -> None:
    """Print the plan in a few lines."""
    from orchestrator.display.arithmetic_text import arithmetic_rows, warnings
    from orchestrator.plan.forecast import forecast_of
    from orchestrator.plan.saved import fingerprint_of
    from orchestrator.plan.starting import starting_hints
    from trainers.data import report_path
    from trainers.families import find_family

    space, resources = plan.space, plan.resources
    folders = {cache.report.source: cache for cache in reversed(caches)}
    images = [
        _images(cache.report, report_path(cache.path), drawn=plan.synthetic) for cache in reversed(folders.values())
    ]
    if len(images) > 1:
        sources = find_family(space.base).find_sources(plan.data)
        images = [f"{name.capitalize()}: {text}" for name, text in zip(sources, images, strict=True)]
    budgets = f", {limits}" if (limits := plan.budgets.text(space.objectives[0])) else ""
    forecast = forecast_of(plan, fingerprint_of(caches))
    rows = {
        "sweep": f"{plan.sweep}: space {space.name}, {counted(plan.trials, 'trial')}{budgets}",
        "images": "\n".join(images),
        "training": _training_text(space),
        "objective": f"{plan.metric}, {_direction(space)} in the window{_measuring_text(space)}",
        "searched": ", ".join(space.search) or "nothing",
        **schedule_rows(space),
        **search_rows(plan, warm),
        "where": _where_text(resources, plan.address) + (f"\n{plan.packing}" if plan.packing else ""),
        **arithmetic_rows(plan, forecast),
        "results": place_of(plan.directory),
    }
    print_rows(console, rows)
    if resources.gpus == 0 and space.base.fid.n_fake > SLOW_FAKES:
        hint = f"[yellow]{space.base.fid.n_fake} fakes per FID take long without a GPU;[/] to try: --set fid.n_fake=256"
        console.print(hint, soft_wrap=True)
    for hint in (*sampler_hints(space), *starting_hints(space), *warnings(plan, forecast)):
        console.print(f"[yellow]{escape(hint)}[/]", highlight=False, soft_wrap=True)


def _direction(space: Space) -> str:
    return "highest" if maximised(space.objectives[0]) else "lowest"


def _training_text(space: Space) -> str:
    """Size, epochs and window of the trials, each as its range where it is searched."""
    base = space.base.flat()
    names = ("data.image_size", "schedule.epochs", "schedule.window_first")
    size, epochs, window = (str(space.search.get(name, base[name])).split(",")[0] for name in names)  # without its step
    return f"{size} px, {epochs} epochs, {called(space.objectives[0])} counts from epoch {window} on"


def _where_text(resources: Resources, address: str | None) -> str:
    """``1 trial at once on this machine: 2 workers each, with 1 CPU thread and no GPU per worker``."""
    at_least = f", at least {resources.min_workers}" if resources.elastic else ""
    gpus = counted(resources.gpus, "GPU") if resources.gpus else "no GPU"
    return (
        f"{counted(resources.gangs, 'trial')} at once on {ray_text(address)}: "
        f"{counted(resources.workers, 'worker')} each{at_least}, with {gpus} and "
        f"{counted(resources.threads, 'CPU thread')} per worker"
    )


def _measuring_text(space: Space) -> str:
    """The number of fakes of the first measurement, and how many trials are measured again at the end."""
    (epoch, first), confirm = first_measurement(space.base), space.confirm
    fewer = f"; on {first} fakes at first (epoch {epoch})" if first != space.base.fid.n_fake else ""
    on = latents_text(confirm.seeds)
    again = f"; the best {confirm.top} are measured again, on {on} each" if confirm.top else ""
    if confirm.train_seeds:
        again += f", and trained again, with {counted(confirm.train_seeds, 'fresh training seed')} each"
    return fewer + again


def _images(report: Any, path: Path, *, drawn: bool) -> str:
    listed = f"; skipped files are listed in {path}" if report.skipped else ""
    if report.skipped and drawn:
        listed = "; the others are broken on purpose, to show that such files do no harm"
    return f"{report.summary()} in {shown(Path(report.source))}{listed}"


def kept_text(plan: Plan) -> str:
    """What a dry run leaves: the decoded images, on one machine."""
    here = f"on {socket.gethostname()}, the cluster's head," if VIA in os.environ else "on this machine"
    others = "" if plan.address is None else "; the cluster's other machines decode their own"
    return f"the decoded images stay in {plan.cache_dir} {here} for the launch{others}"


def print_winner(console: Console, plan: Plan, store: ResultsStore) -> None:
    """Print the best trial, where its samples and checkpoint are, and the commands that show and use it."""
    state = store.read_state()
    trials, status = state.by_number(), state.status
    ending = status.replace("_", " ").replace("gpu", "GPU")
    console.print(f"\n{ending}: {_trials_text(trials, state)}", highlight=False, soft_wrap=True)
    if state.detail and status is not SweepStatus.FAILED:  # of which every trouble is told
        console.print(state.detail, markup=False, highlight=False, soft_wrap=True)
    best = best_trial(trials)
    if best is None and trials:
        console.print("no trial has an objective: none was measured inside its window with fakes that vary")
    rows = {} if best is None else {**seeds_rows(trials, best), **winner_rows(store, plan.metric, best)}
    until = last_sign(store.directory, state)
    spent = spending_of(state, until)
    rows |= {
        **front_rows(trials),
        **spending_rows(spent, best),
        **away_row(state, until),
        **earlier_rows(store),
        **results_rows(store),
    }
    print_rows(console, rows | next_rows(store, winner=best is not None))
    _print_advice(console, advice_on(state, status))


def _trials_text(trials: list[TrialRecord], state: SweepState) -> str:
    own = searched(trials)
    counts, seeds = counts_text(own), repeats_text(state)
    return f"{len(own)} of {state.planned} trials{counts and ': '}{counts}{seeds and '; '}{seeds}"


def print_results(console: Console, store: ResultsStore) -> None:
    """Print the table of a sweep's trials, its best trial, and the commands that show and use it."""
    state = store.read_state()
    trials, standing = state.by_number(), store.standing(state)
    heading = f"{state.plan.sweep}: {standing.status}, {_trials_text(trials, state)}"
    for line in filter(None, (heading, standing.detail)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if standing.status in (SweepStatus.INTERRUPTED, SweepStatus.FAILED):
        print_rows(console, resume_rows(store))
    until = last_sign(store.directory, state)
    spent = spending_of(state, until)
    console.print(trials_table(trials, rows=MOST_ROWS, width=console.width, costs=cost_column(spent)))
    console.print(_legend(trials), style="dim", highlight=False, soft_wrap=True)
    if front := front_rows(trials):
        print_rows(console, {f"{name} (+)": text for name, text in front.items()})
    best = best_trial(trials)
    rows = {"objective": state.plan.objective} if best is None else winner_rows(store, state.plan.objective, best)
    rows = seeds_rows(trials, best) | rows
    rows |= spending_rows(spent, best) | away_row(state, until) | earlier_rows(store)
    print_rows(console, rows | next_rows(store, winner=best is not None))
    _print_advice(console, advice_on(state, standing.status))


def _print_advice(console: Console, found: list[Finding]) -> None:
    """A paragraph for the next sweep; nothing where the numbers say nothing."""
    if found:
        text = " ".join(finding.text for finding in found)
        console.print(f"\nfor the next sweep: {text}", markup=False, highlight=False, soft_wrap=True)


def _legend(trials: list[TrialRecord]) -> str:
    """What the marks in the table mean, of those that it has."""
    marks = {
        "* the best": best_trial(trials) is not None,
        f"~ {NOT_COUNTED}": any(trial.stands_for_none for trial in trials),
        "@E measured at epoch E": any(trial.last_fid_epoch not in (None, trial.epochs) for trial in trials),
        "seeds: mean and spread over n training seeds": any(trial.repeats for trial in trials),
        "0003s1: the setting of 0003 with a fresh training seed": any(trial.is_repeat for trial in trials),
        "nN on N fakes": any(0 < trial.n_fake != trial.last_fid_n is not None for trial in trials),
    }
    return "; ".join(text for text, there in marks.items() if there)


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
        table.add_row("  " * depth + name, escape(str(domain)), escape(short(base[name])), escape(_condition(domain)))
    console.print(table)
    fixed = {name: short(value) for name, value in base.items() if name not in space.search}
    console.print("\nfixed", style="dim")
    print_rows(console, fixed)
    console.print(
        f"\nsampler {space.sampler.name}, {space.scheduler}; {counted(space.trials, 'trial')}", soft_wrap=True
    )
    best = best_text(space.objectives[0])
    console.print(f"objective: the {best} in the window{_measuring_text(space)}", highlight=False, soft_wrap=True)


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
