"""``gan-sweep extend``: trials of a sweep that have ended go on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.commands.launch import launch
from orchestrator.commands.parameters import FolderToRead, NameOrPath, SweepToFind, Text, Whole
from orchestrator.commands.shared import fetch, sweeps_dir_option
from trainers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.plan.extended import GoesOn
    from orchestrator.results.winner import Chosen


@click.command("extend")
@click.argument("sweep", metavar="SWEEP", type=SweepToFind())
@click.option("--trials", type=Text(), default="best", show_default=True, metavar="IDS", help="Such as 0003,0007.")
@click.option(
    "--epochs",
    type=Whole(1, 10**6),
    metavar="N",
    help="How many more. [default: to the end of its plan, for a trial that goes on where it ended]",
)
@click.option(
    "--rules", type=NameOrPath(), metavar="FILE|on|off", help="A pruning: block, all or none. [default: SWEEP's]"
)
@click.option("--data", type=FolderToRead(), metavar="DIR", help="Where the sweep's images are now.")
@click.option("--name", type=Text(), metavar="NAME", help="Of the new sweep. [default: SWEEP-extended]")
@click.option("--concurrency", type=Whole(1, 10**6), metavar="N", help="Trials at once. [default: as many as fit]")
@click.option("--dry-run", is_flag=True, help="Check everything and print the plan.")
@sweeps_dir_option
@click.pass_context
def command(
    context: click.Context,
    sweep: str,
    trials: str,
    epochs: int | None,
    rules: str | None,
    data: Path | None,
    name: str | None,
    concurrency: int | None,
    dry_run: bool,
    sweeps_dir: Path,
) -> None:
    """Let ended trials of SWEEP train on, each from a checkpoint, in a sweep of their own.

    A trial that a rule or you ended without an objective goes on where it ended: --rules off takes the verdict back.
    Any other goes on from its best checkpoint.
    """
    from rich.console import Console

    from orchestrator.display.progress import progress_bar
    from orchestrator.plan.extended import extended
    from orchestrator.plan.launch_options import LaunchOptions
    from orchestrator.plan.measuring_again import images_again, images_folder
    from orchestrator.results.verdict import SweepStatus
    from orchestrator.results.winner import choose_to_go_on
    from orchestrator.space.load import build_space
    from orchestrator.space.rules_file import pruning_of
    from orchestrator.space.yaml_text import dump_yaml

    names = [name.strip() for name in trials.split(",")]
    if "" in names:
        raise UserError(f"--trials {trials}: give trials with commas between them, such as 0003,0007")
    chosen = [choose_to_go_on(sweep, sweeps_dir, name) for name in names]
    if len({one.name for one in chosen}) < len(chosen):
        raise UserError(f"--trials {trials}: a trial stands twice")
    store = chosen[0].store
    assert store is not None
    if store.standing().status == SweepStatus.RUNNING:
        raise UserError(
            f"{store.directory.name} still runs, and may drop a checkpoint that these trials go on from: wait for its "
            "end, or gan-sweep stop it"
        )
    saved = store.read_plan()
    if rules is not None:
        pruning_of(rules)  # before images are decoded
    going_on = [_going_on(one, epochs) for one in chosen]
    found = extended(build_space(saved.space, saved.definition), going_on)
    fetch(images_folder(store, data))
    with progress_bar(Console(), "decoding images") as progress:
        _, other = images_again(store, data, progress)
    if other:
        raise UserError(f"{other}: trials go on with their own; on others launch --set init.checkpoint=FILE starts")
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{saved.space}_extended.yaml"
        file.write_text(dump_yaml(found))
        options = LaunchOptions(
            space=str(file),
            data=data or Path(saved.data),
            name=name or f"{saved.sweep}-extended",
            concurrency=concurrency,
            rules=rules,
            seed=found["base"]["seed"],
            sweeps_dir=sweeps_dir,
        )
        context.exit(launch(options, dry_run=dry_run))


def _going_on(chosen: Chosen, epochs: int | None) -> GoesOn:
    from orchestrator.plan.extended import GoesOn
    from orchestrator.results.exploits import params_now
    from trainers.initial import epochs_done, read_initial

    trial = chosen.trial
    assert trial is not None
    done = epochs_done(read_initial(str(chosen.checkpoint), "meta"))
    if epochs is None and not trial.ended_early:
        raise UserError(f"trial {chosen.name} goes on from its best epoch, {done}: say with --epochs how many more")
    return GoesOn(
        params=params_now(trial.params, [one for one in trial.exploits if one.epoch < done]),
        checkpoint=chosen.checkpoint,
        done=done,
        epochs=epochs or trial.total_epochs - done,
    )
