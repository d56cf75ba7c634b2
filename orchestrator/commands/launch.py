"""``gan-sweep launch``: plan, prepare, run, say what came out."""

import contextlib
import sys
from dataclasses import replace
from typing import Any

from rich.console import Console

from orchestrator.display.progress import progress_bar
from orchestrator.display.summary import print_plan, print_winner
from orchestrator.plan.plan import LaunchOptions, Plan, make_plan, prepare_data, with_labels
from orchestrator.results.store import ResultsStore, SweepInfo, create_sweep
from orchestrator.results.verdict import SweepStatus
from orchestrator.search.studies import check_storage
from orchestrator.search.warm_start import WarmStart, read_warm_start
from orchestrator.space.load import space_as_yaml
from orchestrator.space.yaml_text import dump_yaml


def launch(options: LaunchOptions, *, dry_run: bool = False, console: Console | None = None) -> int:
    """Run a sweep, or with `dry_run` check everything and print the plan.

    Returns:
        The exit code: 0 finished or ended by a budget, 1 failed, 130 interrupted.

    Raises:
        UserError: before anything has started.
    """
    console = console or Console(file=sys.stdout)  # this very stream: Ray's prints are sent elsewhere meanwhile
    with contextlib.ExitStack() as stack:
        available = None
        if options.address is not None:
            from orchestrator.sweep.ray_session import cluster_size, connected

            stack.enter_context(connected(options.address))
            available = cluster_size()
        plan = make_plan(options, available)
        if options.tracking_uri is not None:
            from orchestrator.tracking.mlflow_tracker import check_tracking

            check_tracking(plan.tracking_uri)
        if options.storage is not None and "://" in options.storage:
            check_storage(plan.storage, plan.sweep)
        return _launch(plan, dry_run=dry_run, console=console)


def _launch(plan: Plan, *, dry_run: bool, console: Console) -> int:
    if plan.synthetic:
        console.print(
            f"[yellow]The pictures are synthetic:[/] --demo draws {plan.space.synthetic}; "
            "give your own with --data DIR.",
            soft_wrap=True,
        )
    caches = _prepare(plan, console)
    plan = with_labels(plan, caches[0])
    warm = None
    if plan.warm_start is not None:
        warm = read_warm_start(ResultsStore(plan.warm_start), plan.space, metric=plan.metric, data=str(plan.data))
    print_plan(console, plan, caches, warm)
    if dry_run:
        console.print("dry run: nothing was started")
        return 0
    return _run(plan, warm, n_real=len(caches[0]), console=console)


def _prepare(plan: Plan, console: Console) -> list[Any]:
    with progress_bar(console, "decoding images") as progress:
        return prepare_data(plan, progress)


def _run(plan: Plan, warm: WarmStart | None, *, n_real: int, console: Console) -> int:
    store = create_sweep(plan.directory)
    (plan.directory / "space.yaml").write_text(dump_yaml(space_as_yaml(plan.space)))
    info = SweepInfo(
        sweep=plan.sweep,
        space=plan.space.name,
        objective=plan.metric,
        status=SweepStatus.RUNNING,
        trials=plan.trials,
        data=str(plan.data),
        n_real=n_real,
        synthetic=plan.synthetic,
        tracking_uri=plan.tracking_uri,
    )
    store.write_info(info)
    from orchestrator.display.live import Screen
    from orchestrator.sweep.driver import SweepOutcome, run_sweep
    from orchestrator.sweep.ray_session import connected, log_to

    console.print("\nstarting Ray and the gangs, some 20 s ...")
    try:
        with log_to(plan.directory / "sweep.log"), connected(plan.address):
            ending = run_sweep(plan, store, info, Screen(console, plan.trials), warm)
    except KeyboardInterrupt:
        ending = SweepOutcome(SweepStatus.INTERRUPTED, 0, [])
    except BaseException:
        store.write_info(replace(info, status=SweepStatus.FAILED))
        raise
    store.write_info(replace(info, status=ending.status))
    print_winner(console, plan, store, ending.status)
    for trouble in ending.troubles:
        console.print(f"{trouble} (more in {plan.directory / 'sweep.log'})", style="red", markup=False, soft_wrap=True)
    if ending.lost_writes:
        console.print(f"[yellow]MLflow did not take {ending.lost_writes} writes;[/] {store.directory} has everything")
    return {SweepStatus.INTERRUPTED: 130, SweepStatus.FAILED: 1}.get(ending.status, 0)
