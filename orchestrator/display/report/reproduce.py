"""How to get the same sweep, and the winner, again."""

import shlex
from typing import Any

from orchestrator.display.report.entries import Entry, Group, Sweep
from orchestrator.display.report.part import Part
from orchestrator.display.winner_text import winner_commands
from orchestrator.results.argument import argument_of, place_of
from orchestrator.results.places import SCHEDULE_FILE, SPACE_FILE
from orchestrator.results.records import best_trial
from orchestrator.space.domains import value_text
from orchestrator.space.overrides import apply_settings
from orchestrator.space.sections import PBT
from orchestrator.space.yaml_text import dump_yaml


def reproduce(group: Group) -> Part:
    """Commands, and the whole space of each sweep."""
    shown = [
        {
            "name": sweep.name,
            "commands": _commands(group, sweep),
            "seed": sweep.plan.seed,
            "version": sweep.plan.version or "not recorded",
            "fingerprint": sweep.plan.fingerprint or "not recorded",
            "space": dump_yaml(sweep.plan.definition),
        }
        for sweep in group.sweeps
    ]
    return Part(name="reproduce", title="Reproduce", values={"sweeps": shown})


def _commands(group: Group, sweep: Sweep) -> list[tuple[str, list[list[str]]]]:
    """Headings, each with commands in pieces between which a line may break."""
    found = [("The sweep again", [_pieces(_launch(sweep))])]
    if setting := _winner(group, sweep):
        found.append(("The winner's setting alone", [_pieces(setting)]))
    own = [entry for entry in group.every if entry.sweep is sweep]
    best = best_trial([entry.trial for entry in own])
    if best is not None and next(entry.kept for entry in own if entry.trial is best):
        uses = winner_commands(sweep.store).values()
        heading = f"Images, an endpoint and a model of its best trial, {best.trial_id}"
        found.append((heading, [_pieces(shlex.split(f"gan-sweep {words}")) for words in uses]))
    results = ["gan-sweep", "results", *shlex.split(argument_of(sweep.store.directory))]
    return [*found, ("Its table", [_pieces(results)])]


def _pieces(words: list[str]) -> list[str]:
    """The words as a shell takes them, each option with its value."""
    pieces: list[list[str]] = []
    for word in words:
        if pieces and not word.startswith("--") and pieces[-1][0].startswith("--"):
            pieces[-1].append(word)
        else:
            pieces.append([word])
    return [shlex.join(piece) for piece in pieces]


def _launch(sweep: Sweep, *more: str) -> list[str]:
    """A launch of the same space on the same images. A password in a URI is not kept, so it is left out."""
    plan, resources = sweep.plan, sweep.plan.resources
    words = ["gan-sweep", "launch", "--space", f"{place_of(sweep.store.directory)}/{SPACE_FILE}"]
    words += ["--data", plan.data, "--seed", str(plan.seed)]
    given: dict[str, Any] = {"--concurrency": resources.get("gangs"), "--workers-per-trial": resources.get("workers")}
    given["--gpus-per-worker"] = resources.get("gpus") or None
    budgets = sweep.state.budgets
    if not more:
        given["--trials"] = sweep.state.planned
        given["--time-budget"] = f"{budgets['time_s']:g}s" if budgets.get("time_s") is not None else None
        given["--max-gpu-hours"] = budgets.get("gpu_hours")
        given["--target-fid"] = budgets.get("target_fid")
        given["--max-cost"] = budgets.get("cost")
        given |= {"--gpu-price": plan.prices.gpu_hour, "--head-price": plan.prices.head_hour}
        given["--warm-start"] = plan.warm_start or None
    for option, value in given.items():
        if value is not None:
            for one in value if isinstance(value, tuple) else (value,):
                words += [option, f"{one:g}" if isinstance(one, float) else str(one)]
    return [*words, *more]


def _winner(group: Group, sweep: Sweep) -> list[str]:
    """One trial with the winner's setting; empty where it is not this sweep's, or the space cannot be read."""
    best = group.best
    if best is None or best.sweep is not sweep or sweep.space is None:
        return []
    if best.trial.exploits or sweep.plan.scheduler == PBT:
        return _launch(sweep, "--schedule", f"{place_of(sweep.store.directory)}/{SCHEDULE_FILE}")
    return _launch(sweep, "--trials", "1", *(word for one in settings_of(best) for word in ("--set", one)))


def settings_of(entry: Entry) -> list[str]:
    """What ``--set`` has to be given for a trial's config: its values, and what they would change along with them."""
    space = entry.sweep.space
    assert space is not None
    config = space.resolve(entry.trial.params).flat()
    settings = [f"{name}={value_text(config[name])}" for name in entry.trial.params]
    now = apply_settings(space, settings).resolve({}).flat()
    # fid.at follows from the others.
    differing = [name for name in config if name != "fid.at" and now[name] != config[name]]
    return settings + [f"{name}={value_text(config[name])}" for name in differing]
