"""``gan-sweep trial``: ends one trial of a running sweep, or adds one of your own."""

from pathlib import Path
from typing import Any

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import SweepToFind, Text
from orchestrator.commands.shared import CommandGroup, running_sweep, sweeps_dir_option
from trainers.errors import UserError, shortened, unknown_name


@click.group("trial", cls=CommandGroup)
def command() -> None:
    """End one trial of a running sweep, or add one of your own."""


@command.command("stop", cls=OnCluster)
@click.argument("sweep", type=SweepToFind())
@click.argument("trial", type=Text())
@cluster_option
@sweeps_dir_option
def stop(sweep: str, trial: str, sweeps_dir: Path) -> None:
    """End TRIAL of SWEEP after its epoch; the next takes its place."""
    from orchestrator.results.requests import StopTrial
    from orchestrator.results.store import find_sweep

    state = find_sweep(sweep, sweeps_dir).read_state()
    name = state.plan.sweep
    if trial not in state.trials and trial not in state.waiting:
        raise unknown_name(f"trial of {name}", trial, [*state.trials, *state.waiting])
    running = running_sweep(sweep, sweeps_dir)
    if trial in state.trials and (verdict := state.trials[trial].verdict) is not None:
        raise UserError(f"trial {trial} of {name} is over: {verdict}")
    request = StopTrial(session=running.session, trial=trial)
    running.ask(request, lambda now: trial in now.trials and now.trials[trial].verdict is not None, ending=True)
    record = running.store.read_state().trials[trial]
    click.echo(f"trial {trial}: {record.verdict} after epoch {record.epochs}")


@command.command("add", cls=OnCluster)
@click.argument("sweep", type=SweepToFind())
@click.argument("settings", type=Text(), nargs=-1, required=True, metavar="KEY=VALUE...")
@cluster_option
@sweeps_dir_option
def add(sweep: str, settings: tuple[str, ...], sweeps_dir: Path) -> None:
    """Try a setting of your own next in SWEEP; keys that are not given have the base's values."""
    from orchestrator.results.requests import AddTrial
    from orchestrator.results.store import find_sweep
    from orchestrator.space.load import build_space

    plan = find_sweep(sweep, sweeps_dir).read_plan()
    params = own_setting(build_space(plan.space, plan.definition), settings)
    running = running_sweep(sweep, sweeps_dir)
    running.ask(AddTrial(session=running.session, params=params))
    typed = (f"{key}={'null' if value is None else value}" for key, value in params.items())
    click.echo(f"{running.name} tries next: {', '.join(typed)}")


def own_setting(space: Any, settings: tuple[str, ...]) -> dict[str, Any]:
    """A trial's values: those that are given, of other keys the base's.

    Args:
        space: the sweep's.
        settings: ``KEY=VALUE`` each.

    Raises:
        UserError: a key is not searched, a value lies outside its range, or they do not fit together.
    """
    from orchestrator.space.yaml_text import parse_yaml

    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"{shortened(setting)}: write KEY=VALUE")
        if name not in space.search:
            raise unknown_name("searched key", name, space.search)
        if name in given:
            raise UserError(f"{name} is given twice")
        value = parse_yaml(text, name)
        if isinstance(value, int) and not isinstance(value, bool) and not space.search[name].contains(value):
            value = float(value)
        if not space.search[name].contains(value):
            raise UserError(f"{name} = {value!r} lies outside its range {space.search[name]}")
        given[name] = value
    base = space.base.flat()
    params: dict[str, Any] = {}
    for name in space.in_order():
        if space.is_active(name, params):
            params[name] = given.pop(name, base[name])
            if not space.search[name].contains(params[name]):
                raise UserError(f"{name}: the base's {params[name]!r} lies outside {space.search[name]}: give a value")
    if given:
        raise UserError(f"{', '.join(given)}: does not exist with these values")
    space.resolve(params)
    return params
