"""``gan-sweep resume``: goes on with a sweep whose driver has ended or died."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import SweepToFind, Text, Whole
from orchestrator.commands.running import ending_the_dead, meet_cluster, run_to_the_end
from orchestrator.commands.shared import budget_options, price_options, release_option, sweeps_dir_option
from orchestrator.space.sections import MOST_TRIALS
from trainers.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.plan.plan import Plan
    from orchestrator.results.state import SweepState


@click.command("resume", cls=OnCluster)
@click.argument("sweep", type=SweepToFind())
@click.option("--trials", type=Whole(1, MOST_TRIALS), metavar="N", help="How many trials in all. [default: as before]")
@budget_options
@price_options
@click.option("--tracking-uri", type=Text(), metavar="URI", help="As given to launch, where it has a password.")
@click.option("--storage", type=Text(), metavar="URL", help="As given to launch, where it has a password.")
@click.option("--address", type=Text(), metavar="ADDR", help="The Ray cluster, where it has another address by now.")
@click.option("--concurrency", type=Whole(1, 10_000), metavar="N", help="Trials at once. [default: as before]")
@click.option(
    "--min-workers-per-trial",
    type=Whole(1, 10_000),
    metavar="N",
    help="While a machine is away, trials go on with N ranks or more. [default: as before]",
)
@release_option
@click.option("--keep-checkpoints", type=Text(), metavar="all|best|top:K", help="From now on. [default: as before]")
@click.option("--allow-changes", is_flag=True, help="Go on although rules, scheduler or sampler in space.yaml changed.")
@click.option("--detach", is_flag=True, help="Go on in the background once the sweep is open.")
@cluster_option
@sweeps_dir_option
def command(sweep: str, sweeps_dir: Path, detach: bool, allow_changes: bool, **options: Any) -> None:
    """Go on with SWEEP, whose driver has ended or died.

    Trials that are over stay, those that ran go on from their last checkpoint, those that waited run.
    """
    from orchestrator.sweep.detach import is_detached, run_detached

    if detach and not is_detached():
        sys.exit(run_detached())
    with ending_the_dead(sweep, sweeps_dir, options["tracking_uri"]):
        code = resume(sweep, sweeps_dir, allow_changes=allow_changes, **options)
    sys.exit(code)


def resume(
    sweep: str,
    sweeps_dir: Path,
    *,
    trials: int | None = None,
    time_budget: str | None = None,
    max_gpu_hours: float | None = None,
    max_cost: float | None = None,
    gpu_price: float | None = None,
    head_price: float | None = None,
    target_fid: float | None = None,
    tracking_uri: str | None = None,
    storage: str | None = None,
    address: str | None = None,
    concurrency: int | None = None,
    min_workers_per_trial: int | None = None,
    release_after: str | None = None,
    keep_checkpoints: str | None = None,
    allow_changes: bool = False,
    console: Console | None = None,
) -> int:
    """Go on with a sweep; the options are those of the command.

    Returns:
        The exit code, as `launch` does.

    Raises:
        UserError: it runs, there is nothing left to do, or it has changed.
    """
    from rich.console import Console

    from orchestrator.display.closed_terminal import outlives_terminal
    from orchestrator.display.progress import progress_bar
    from orchestrator.plan.budgets import read_budgets
    from orchestrator.plan.checks import check_elastic
    from orchestrator.plan.dataset import prepare_data
    from orchestrator.plan.going_on import as_it_stands, check_left
    from orchestrator.plan.plan import driver_silence, metric_of, resolve_tracking_uri
    from orchestrator.plan.prices import read_prices
    from orchestrator.plan.resources import check_fits
    from orchestrator.plan.saved import from_saved
    from orchestrator.results.driver_lock import driver_lives
    from orchestrator.results.places import SPACE_FILE
    from orchestrator.results.retention import how_many
    from orchestrator.results.store import find_sweep
    from orchestrator.search.studies import resolve_storage
    from orchestrator.space.yaml_text import read_yaml
    from orchestrator.sweep.ray_session import check_answers
    from trainers.data.remote_images import fetch_images
    from trainers.download import DownloadError

    console = outlives_terminal(console or Console(file=sys.stdout))
    if keep_checkpoints is not None:
        how_many(keep_checkpoints)
    store = find_sweep(sweep, sweeps_dir, whole=True)
    if driver_lives(store.directory):
        raise UserError(f"sweep {store.directory.name} is running already")
    if address is not None:
        check_answers(address)
    state = store.read_state()
    saved = state.plan
    file = store.directory / SPACE_FILE
    definition = read_yaml(file, "space") if file.exists() else saved.definition
    plan = from_saved(saved, store.directory, definition)
    if definition.get("scheduler") != saved.definition.get("scheduler"):
        plan.space.scheduler.check_used()
    plan = replace(plan, prices=read_prices(gpu_price, head_price, before=saved.prices))
    given = read_budgets(
        time=time_budget,
        gpu_hours=max_gpu_hours,
        target_fid=target_fid,
        cost=max_cost,
        gpus=plan.resources.gpus,
        prices=plan.prices,
    )
    if storage is not None:
        storage = resolve_storage(storage, store.directory)
    if tracking_uri is not None:
        tracking_uri = resolve_tracking_uri(tracking_uri, store.directory)
    plan = as_it_stands(plan, state, trials=trials, budgets=given, tracking_uri=tracking_uri, storage=storage)
    plan = replace(plan, address=address or plan.address, keep_checkpoints=keep_checkpoints or plan.keep_checkpoints)
    plan = replace(plan, release_after_s=driver_silence(release_after, plan.address))
    plan = replace(plan, resources=replace(plan.resources, gangs=concurrency or plan.resources.gangs))
    if min_workers_per_trial is not None:
        plan = replace(plan, resources=replace(plan.resources, min_workers=min_workers_per_trial))
        check_elastic(plan.space, plan.resources)
    check_left(state, plan)
    if plan.address is None:
        check_fits(plan.resources)
    elif address is None:
        check_answers(plan.address)
    with progress_bar(console, "fetching images") as progress:
        fetch_images(plan.data, progress)
    try:
        plan = replace(plan, metric=metric_of(plan.space.base))  # late: it may ask for weights
    except UserError as error:
        if not isinstance(missing := error.__cause__, DownloadError):
            raise
        raise UserError(f"no weights for FID: {missing}; put the file at {missing.target}") from missing
    with progress_bar(console, "decoding images") as progress:
        caches = prepare_data(plan, progress)
    return go_on(plan, state, caches, allow_changes=allow_changes, console=console)


def go_on(
    plan: Plan,
    state: SweepState,
    caches: Sequence[Any],
    *,
    allow_changes: bool,
    console: Console,
    dry_run: bool = False,
) -> int:
    """Go on with the sweep in a plan's directory; errors and exit code as in `resume`.

    Args:
        plan: as it is now.
        state: how the sweep stands; that something is left to do was checked.
        caches: its images.
        allow_changes: whether the space may differ where that does no harm.
        console: where to print.
        dry_run: check everything, start nothing.
    """
    from orchestrator.display.summary import print_plan
    from orchestrator.display.winner_text import counted
    from orchestrator.plan.earlier import warm_start_of
    from orchestrator.plan.saved import check_differences, differences, to_saved
    from orchestrator.results.repeats import repeats_text, searched
    from orchestrator.results.store import ResultsStore

    now = to_saved(plan, caches)
    changes = differences(state.plan, now)
    check_differences(changes, plan.sweep, allow=allow_changes)

    def gone(error: UserError) -> None:  # the study has its trials all the same
        text = f"the scheduler does not compare with an earlier sweep any longer: {error}"
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)

    warm = warm_start_of(plan, gone)
    print_plan(console, plan, list(caches), warm)
    own = searched(state.trials.values())
    over, waiting = sum(trial.over for trial in own), state.proposed() - len(own)
    seeds = repeats_text(state)
    console.print(
        f"\ngoing on: {counted(over, 'trial')} over, {len(own) - over} to go on from the last checkpoint, "
        f"{waiting} waiting{seeds and '; '}{seeds}",
        highlight=False,
        soft_wrap=True,
    )
    if dry_run:
        console.print("dry run: nothing was started")
        return 0
    keep = plan.keep_checkpoints or state.plan.keep_checkpoints
    changed = None
    others = (keep, now.resources, now.prices)
    if changes or others != (state.plan.keep_checkpoints, state.plan.resources, state.plan.prices):
        changed = replace(
            state.plan, definition=now.definition, keep_checkpoints=keep, data=now.data, prices=now.prices
        )
        changed = replace(changed, resources=now.resources, devices=now.devices, gang_gpus=now.gang_gpus)
    with contextlib.ExitStack() as stack:
        if plan.address is not None:
            from orchestrator.sweep.ray_session import connected

            stack.enter_context(connected(plan.address))
            meet_cluster(plan, console)
        return run_to_the_end(plan, ResultsStore(plan.directory), warm, console, changed=changed)
