"""``gan-sweep extend``: finished trials of a sweep go on, for so many more epochs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from orchestrator.commands.launch import launch
from orchestrator.commands.parameters import FolderToRead, NameOrPath, SweepToFind, Text, Whole
from orchestrator.commands.shared import sweeps_dir_option
from trainers.errors import UserError


@click.command("extend")
@click.argument("sweep", metavar="SWEEP", type=SweepToFind())
@click.option("--trials", type=Text(), default="best", show_default=True, metavar="IDS", help="Such as 0003,0007.")
@click.option("--epochs", type=Whole(1, 10**6), required=True, metavar="N", help="How many more.")
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
    epochs: int,
    rules: str | None,
    data: Path | None,
    name: str | None,
    concurrency: int | None,
    dry_run: bool,
    sweeps_dir: Path,
) -> None:
    """Train finished trials of SWEEP for more epochs, each from its best checkpoint, in a sweep of their own.

    Also trials that a rule has ended, where they have a FID inside the window: --rules off takes its verdict back.
    """
    from orchestrator.plan.extended import extended
    from orchestrator.plan.launch_options import LaunchOptions
    from orchestrator.results.schedule import lineage_of
    from orchestrator.results.winner import choose
    from orchestrator.space.load import build_space
    from orchestrator.space.yaml_text import dump_yaml

    if Path(sweep).is_file():
        raise UserError(f"{sweep} is a file: name a sweep, which knows its images and its settings")
    names = [name.strip() for name in trials.split(",")]
    if "" in names:
        raise UserError(f"--trials {trials}: give trials with commas between them, such as 0003,0007")
    chosen = [choose(sweep, sweeps_dir, name) for name in names]
    records = {one.trial.trial_id: one for one in chosen if one.trial is not None}
    if len(records) < len(chosen):
        raise UserError(f"--trials {trials}: a trial stands twice")
    for trial_id, one in records.items():
        assert one.trial is not None
        if one.trial.open:
            raise UserError(f"trial {trial_id} of {sweep} has not ended: gan-sweep resume goes on with it")
    store = chosen[0].store
    assert store is not None
    saved = store.read_plan()
    state = store.read_state()  # a trial of a population has other settings by its best epoch than at its start
    settings = [lineage_of(state, state.trials[name])[-1].params for name in records]
    found = extended(build_space(saved.space, saved.definition), settings, [one.checkpoint for one in chosen], epochs)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{saved.space}_extended.yaml"
        file.write_text(dump_yaml(found))
        options = LaunchOptions(
            space=str(file),
            data=data or Path(saved.data),
            name=name or f"{saved.sweep}-extended",
            concurrency=concurrency,
            rules=rules,
            seed=saved.seed,
            sweeps_dir=sweeps_dir,
        )
        context.exit(launch(options, dry_run=dry_run))
