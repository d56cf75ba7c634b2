"""``gan-sweep launch``: plan a sweep, prepare its data, run it, print the result."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import FileToRead, FolderToRead, NameOrPath, Number, SweepToFind, Text, Whole
from orchestrator.commands.resume import go_on
from orchestrator.commands.running import ending_the_dead, meet_cluster, run_to_the_end, with_packing
from orchestrator.commands.shared import price_options, register_option, release_option, sweeps_dir_option
from orchestrator.space.sections import MOST_SEEDS, MOST_TRIALS, SAMPLERS, SCHEDULERS
from trainers.errors import UserError, disk_is_full, is_full

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.plan.launch_options import LaunchOptions
    from orchestrator.plan.plan import Plan
    from orchestrator.results.state import SweepState


@click.command("launch", cls=OnCluster)
@click.option(
    "--space",
    type=NameOrPath(),
    required=True,
    metavar="NAME|FILE",
    help="A bundled space (see `spaces list`) or a YAML file.",
)
@click.option("--data", type=FolderToRead(), metavar="DIR|URI", help="Folder of images, any format and size.")
@click.option("--name", type=Text(), metavar="SWEEP", help="Name of the sweep. [default: SPACE-DATE-TIME]")
@click.option("--demo", is_flag=True, help="Small enough for 2 CPU cores; draws pictures when --data is not given.")
@click.option("--trials", type=Whole(1, MOST_TRIALS), metavar="N", help="How many trials. [default: the space's]")
@click.option("--concurrency", type=Whole(1, 10_000), metavar="N", help="Trials at once. [default: one per GPU, or 1]")
@click.option("--workers-per-trial", type=Whole(1, 10_000), metavar="N", help="DDP ranks per trial. [default: 1]")
@click.option(
    "--min-workers-per-trial",
    type=Whole(1, 10_000),
    metavar="N",
    help="While a machine is away, trials go on with N ranks or more. [default: all]",
)
@click.option("--cpus-per-worker", type=Number(0, 10_000, above=True), metavar="F", help="CPUs per rank.")
@click.option("--gpus-per-worker", type=Number(0, 1000), metavar="F", help="GPUs per rank; 0.25: four trials on one.")
@click.option(
    "--trials-per-gpu", type=Text(), metavar="N|auto", help="Trials that share a GPU; auto: what fits, measured."
)
@click.option(
    "--set",
    "settings",
    type=Text(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Fix a dotted key, such as data.image_size=32.",
)
@click.option(
    "--fid-extractor", type=Text(), metavar="NAME", help="inception or efficientnet_lite0. [default: the space's]"
)
@click.option("--fid-weights", type=FileToRead(), metavar="FILE", help="Weights of the extractor.")
@click.option("--sampler", type=Text(), metavar="NAME", help=f"{', '.join(SAMPLERS)}. [default: the space's]")
@click.option("--scheduler", type=Text(), metavar="NAME", help=f"{', '.join(SCHEDULERS)}. [default: the space's]")
@click.option(
    "--schedule",
    type=FileToRead(),
    metavar="FILE",
    help="Train one trial whose settings change as this file says: schedule.yaml of a sweep with scheduler pbt.",
)
@click.option(
    "--rules",
    type=NameOrPath(),
    metavar="FILE|on|off",
    help="A pruning: block, YAML, or all or no rules. [default: the space's]",
)
@click.option(
    "--storage", type=Text(), metavar="KIND|URL", help="Optuna's: journal, sqlite or a database. [default: journal]"
)
@click.option(
    "--warm-start",
    type=SweepToFind(),
    multiple=True,
    metavar="SWEEP",
    help="Give the sampler the trials of an earlier sweep; may be given several times.",
)
@click.option(
    "--narrow",
    type=Number(0, 1, above=True),
    metavar="Q",
    help="With --warm-start: search only where the best share Q of its trials was, such as 0.2.",
)
@click.option(
    "--tracking-uri",
    type=Text(),
    metavar="URI",
    help="MLflow's store or server. [default: mlflow.db beside the sweeps, for all of them]",
)
@register_option
@cluster_option
@sweeps_dir_option
@click.option(
    "--address",
    type=Text(),
    metavar="ADDR",
    help="A running Ray cluster, HOST:PORT or auto. [default: start one here]",
)
@click.option(
    "--time-budget",
    type=Text(),
    metavar="2h",
    help="End the sweep after this long, its start included, wherever its trials are.",
)
@click.option(
    "--max-gpu-hours",
    type=Number(0, 10**9, above=True),
    metavar="H",
    help="End it after so many GPU hours: GPUs held x time.",
)
@click.option(
    "--max-cost",
    type=Number(0, 10**9, above=True),
    metavar="USD",
    help="End it when it has cost so much, by the prices: GPUs held x time, and the head.",
)
@price_options
@click.option(
    "--target-fid",
    "--target",
    type=Number(0, 10**9, above=True),
    metavar="X",
    help="End it when a trial's objective, by default FID, is X or better.",
)
@click.option(
    "--seed",
    type=Whole(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed.",
)
@click.option(
    "--hang-timeout",
    type=Text(),
    metavar="10m",
    help="Workers silent this long are started again. [default: 10 times the longest epoch, at least 5m]",
)
@release_option
@click.option(
    "--keep-checkpoints",
    type=Text(),
    metavar="all|best|top:K",
    help="Whose best.pt is kept. [default: top:K, K twice what is measured again, at least 5]",
)
@click.option(
    "--confirm-seeds",
    type=Whole(0, MOST_SEEDS),
    metavar="N",
    help="Train the best settings again, N times each with fresh training seeds. [default: the space's, mostly 0]",
)
@click.option("--resume", is_flag=True, help="Go on with the sweep --name, if it is there: see `resume --help`.")
@click.option("--allow-changes", is_flag=True, help="With --resume: go on with other rules, scheduler or sampler.")
@click.option("--detach", is_flag=True, help="Go on in the background once the sweep is open.")
@click.option("--dry-run", is_flag=True, help="Check everything, print the plan, start nothing.")
def command(dry_run: bool, detach: bool, **values: Any) -> None:
    """Run a sweep."""
    from orchestrator.sweep.detach import is_detached, run_detached

    if detach and not is_detached():
        sys.exit(run_detached())
    from orchestrator.plan.launch_options import LaunchOptions

    options = LaunchOptions(**values)
    with contextlib.ExitStack() as stack:
        if options.resume and options.name is not None and not dry_run:
            stack.enter_context(ending_the_dead(options.name, options.sweeps_dir, options.tracking_uri))
        code = launch(options, dry_run=dry_run)
    sys.exit(code)


def launch(options: LaunchOptions, *, dry_run: bool = False, console: Console | None = None) -> int:
    """Run a sweep, or with `dry_run` check everything and print the plan.

    Returns:
        The exit code: 0 when finished or ended by a budget, 1 when failed, 130 when interrupted.

    Raises:
        UserError: an option, the space, the data or the cluster is wrong; raised before any trial has started.
    """
    from rich.console import Console

    from orchestrator.display.closed_terminal import outlives_terminal
    from orchestrator.display.progress import progress_bar
    from orchestrator.plan.going_on import as_it_stands, check_left
    from orchestrator.plan.plan import make_plan
    from orchestrator.results.store import ResultsStore
    from orchestrator.search.studies import check_storage

    if options.resume and options.name is None:
        raise UserError("--resume: give the sweep's name too: --name SWEEP")
    if options.allow_changes and not options.resume:
        raise UserError("--allow-changes: only with --resume")
    # This stream itself, because `log_to` redirects sys.stdout.
    console = outlives_terminal(console or Console(file=sys.stdout))
    with contextlib.ExitStack() as stack:
        available = None
        if options.address is not None:
            from orchestrator.sweep.ray_session import cluster_size, connected

            stack.enter_context(connected(options.address))
            available = cluster_size()
        with progress_bar(console, "fetching images") as fetching:
            plan = make_plan(options, available, fetching)
        state = None
        if plan.directory.exists():  # with --resume alone: otherwise it was refused
            state = ResultsStore(plan.directory).read_state()
            again = options.trials == state.plan.trials  # the command that launched it: `trial add` may have added some
            plan = as_it_stands(
                plan,
                state,
                trials=None if again else options.trials,
                budgets=plan.budgets,
                tracking_uri=None if options.tracking_uri is None else plan.tracking_uri,
                storage=None if options.storage is None else plan.storage,
            )
            check_left(state, plan)
        if options.tracking_uri is not None:
            from orchestrator.tracking.mlflow_sink import check_tracking

            check_tracking(plan.tracking_uri)
        if options.storage is not None and "://" in options.storage and state is None:
            check_storage(plan.storage, plan.sweep)
        return _plan_and_run(plan, state, options, available, dry_run=dry_run, console=console)


def _plan_and_run(
    plan: Plan,
    state: SweepState | None,
    options: LaunchOptions,
    available: tuple[int, int] | None,
    *,
    dry_run: bool,
    console: Console,
) -> int:
    """Run a new sweep, or go on with one that stands as `state` says."""
    from orchestrator.display.progress import progress_bar
    from orchestrator.display.summary import kept_text, print_plan
    from orchestrator.plan.dataset import prepare_data, with_labels
    from orchestrator.plan.earlier import narrowed, narrowed_as_launched, warm_start_of
    from orchestrator.plan.saved import to_saved
    from orchestrator.plan.scheduled import other_base
    from orchestrator.results.store import create_sweep

    if plan.synthetic:
        console.print(
            f"[yellow]The pictures are synthetic:[/] --demo draws {plan.space.synthetic}; "
            "give your own with --data DIR.",
            soft_wrap=True,
        )
    with progress_bar(console, "decoding images") as progress:
        caches = prepare_data(plan, progress)
    plan = with_labels(plan, caches[0])
    plan = with_packing(plan, options, caches, available, console, dry_run=dry_run)
    if state is not None:
        plan = narrowed_as_launched(plan, state.plan, options.narrow)
        return go_on(plan, state, caches, allow_changes=options.allow_changes, dry_run=dry_run, console=console)
    plan = narrowed(plan, options.narrow)
    if options.schedule is not None and (others := other_base(plan.space, options.schedule)):
        text = f"The schedule was found with other settings: {'; '.join(others)}"
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
    warm = warm_start_of(plan)
    print_plan(console, plan, caches, warm)
    if dry_run:
        text = f"dry run: nothing was started; {kept_text(plan)}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return 0
    if plan.address is not None:
        meet_cluster(plan, console)
    try:
        store = create_sweep(plan.directory, to_saved(plan, caches))
    except OSError as error:
        if is_full(error):
            raise disk_is_full(error, plan.directory.parent) from error
        raise
    return run_to_the_end(plan, store, warm, console)
