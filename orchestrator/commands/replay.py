"""``gan-sweep replay``: what rules would have done to recorded runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.parameters import FileToRead, NameOrPath, Text, Whole
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError, unknown_name

if TYPE_CHECKING:
    from orchestrator.space.sections import SchedulerConfig

PLAIN_WIDTH = 200  # of the table where the output is not a terminal


@click.command("replay")
@click.argument("runs", type=NameOrPath(), nargs=-1, required=True, metavar="RUNS...")
@click.option("--rules", "rules_file", type=FileToRead(), metavar="FILE", help="A pruning: block, YAML.")
@click.option(
    "--space",
    type=NameOrPath(),
    metavar="NAME|FILE",
    help="The rules of this space. [default: all rules as they are]",
)
@click.option(
    "--scheduler", type=Text(), metavar="NAME", help="Compared with the rules. [default: the space's, or asha]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; steps_saved is a share from 0 to 1.")
@click.option("--tune", "tuning", is_flag=True, help="Search the rules' settings for the most saved at no regret.")
@click.option(
    "--candidates",
    type=Whole(2, 10**6),
    default=128,
    show_default=True,
    metavar="N",
    help="How many --tune tries.",
)
@sweeps_dir_option
def command(runs: tuple[str, ...], **values: Any) -> None:
    """Say where the rules would have stopped RUNS: sweeps, CSV logs (step, fid, d_loss, ...) or folders of them."""
    run_replay(runs, **values)


def run_replay(
    places: tuple[str, ...],
    *,
    rules_file: Path | None,
    space: str | None,
    scheduler: str | None,
    sweeps_dir: Path,
    as_json: bool,
    tuning: bool,
    candidates: int,
) -> None:
    """Replay, or with `tuning` search the rules' settings, and print.

    Raises:
        UserError: a run or the rules cannot be read, or there is nothing to replay or to tune.
    """
    from rich.console import Console

    from orchestrator.display import replay_text
    from orchestrator.display.progress import progress_bar
    from orchestrator.pruning import build_rules
    from orchestrator.replay.cutting import replay_scheduler
    from orchestrator.replay.recorded import read_runs
    from orchestrator.replay.replay import replay_run
    from orchestrator.replay.tuning import tune

    settings, (config, epochs) = _settings(rules_file, space), _scheduler(space, scheduler)
    runs, others = read_runs(places, sweeps_dir)
    for path in others:
        click.echo(f"left out {path}: not a log, since it lacks the columns step and fid", err=True)
    if not runs:
        raise UserError(f"no trial in {', '.join(places)} has reported anything yet")
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    if tuning:
        with progress_bar(console, "trying settings", candidates, quiet=as_json) as progress:
            tuned = tune(runs, settings, candidates=candidates, progress=progress)
        if as_json:
            click.echo(json.dumps(replay_text.tuned_as_json(tuned), indent=1))
        else:
            replay_text.print_tuned(console, tuned)
        return
    rules = build_rules(settings)
    replayed = [replay_run(run, rules) for run in runs]
    cut = None if config.name == "none" or len(runs) < 2 else replay_scheduler(runs, config, epochs)
    if as_json:
        click.echo(json.dumps(replay_text.as_object(replayed, cut), indent=1))
    else:
        replay_text.print_replay(console, replayed)
        if cut is not None:
            replay_text.print_cut(console, cut, len(runs))


def _settings(rules_file: Path | None, space: str | None) -> bool | dict[str, Any]:
    from orchestrator.space.load import load_space
    from orchestrator.space.rules_file import read_block

    if rules_file is not None and space is not None:
        raise UserError("give --rules or --space, not both")
    if space is not None:
        return load_space(space).pruning
    return True if rules_file is None else read_block(rules_file)


def _scheduler(space: str | None, name: str | None) -> tuple[SchedulerConfig, int]:
    """The scheduler's config, and the length of the runs that its grace is meant for, in epochs."""
    from orchestrator.space.load import load_space
    from orchestrator.space.sections import PBT, SCHEDULERS, SchedulerConfig
    from trainers.config import ScheduleConfig

    if name is not None and name not in SCHEDULERS:
        raise unknown_name("--scheduler", name, SCHEDULERS)
    config, epochs = SchedulerConfig(), ScheduleConfig().epochs
    if space is not None:
        loaded = load_space(space)
        config, epochs = loaded.scheduler, loaded.base.schedule.epochs
    config = config.model_copy(update={"name": name}) if name is not None else config
    if name == PBT:
        raise UserError("--scheduler pbt: it cuts no run, and what its copies become no record knows")
    return (config.model_copy(update={"name": "none"}) if config.name == PBT else config), epochs
