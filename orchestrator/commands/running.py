"""Runs a planned sweep to its end, or goes on with one: what `launch` and `resume` share."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainers.errors import UserError, disk_is_full, first_line, is_full
from trainers.masking import masked

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.plan.launch_options import LaunchOptions
    from orchestrator.plan.plan import Plan
    from orchestrator.results.saved_plan import SavedPlan
    from orchestrator.results.state import SweepState
    from orchestrator.results.store import ResultsStore
    from orchestrator.search.warm_start import WarmStart
    from orchestrator.sweep.session import SweepOutcome


def run_to_the_end(
    plan: Plan, store: ResultsStore, warm: WarmStart | None, console: Console, *, changed: SavedPlan | None = None
) -> int:
    """Run a sweep from where it stands, and print how it ended; `changed` replaces what is saved of its plan.

    Returns:
        The exit code: 0 when finished or ended by a budget, 1 when failed, 130 when interrupted.

    Raises:
        UserError: another driver runs it, or Ray cannot be started.
    """
    from orchestrator.display.live import Screen
    from orchestrator.results.argument import files_argument_of
    from orchestrator.results.places import LOG_FILE
    from orchestrator.results.verdict import SweepStatus
    from orchestrator.sweep.detach import let_go
    from orchestrator.sweep.orphans import end_orphans
    from orchestrator.sweep.ray_session import connected, log_to, nobody_tells_of_nodes
    from orchestrator.sweep.session import Session, SweepOutcome
    from orchestrator.sweep.signals import Interrupts

    session = Session(store)
    state = session.open(trials=plan.trials, budgets=asdict(plan.budgets), changed=changed)
    let_go(plan.sweep, plan.directory / LOG_FILE)
    with Interrupts(lambda: session.end(SweepStatus.INTERRUPTED), console.print) as interrupts:
        end_orphans(console.print)
        ending: SweepOutcome | None = None
        console.print("\nstarting Ray and the gangs, some 20 s ...")
        try:
            with log_to(plan.directory / LOG_FILE), nobody_tells_of_nodes(plan.address), connected(plan.address):
                from orchestrator.sweep.driver import run_sweep  # now: Ray's own processes start meanwhile

                interrupts.check()
                ending = run_sweep(plan, store, session, state, Screen(console, plan.directory), interrupts, warm)
        except KeyboardInterrupt:
            session.end(SweepStatus.INTERRUPTED)
            ending = SweepOutcome(SweepStatus.INTERRUPTED, [], _end_in_mlflow(plan, store, state))
        except Exception as error:
            if ending is None or not isinstance(error, OSError):  # else the log cannot be closed: its storage is away
                session.end(SweepStatus.FAILED, first_line(error))
                if missing := _end_in_mlflow(plan, store, state):
                    click.echo(f"{plan.sweep}: {missing}", err=True)
                if is_full(error):
                    raise disk_is_full(error, plan.directory.parent) from error
                raise
        finally:
            session.close()
    print_end(console, plan, store, ending)
    if session.pusher is not None and session.pusher.missing:
        cure = f"`gan-sweep sync {files_argument_of(store.directory)}`, on this machine, pushes the rest"
        text = f"{session.pusher.missing}: {cure}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    return {SweepStatus.INTERRUPTED: 130, SweepStatus.FAILED: 1}.get(ending.status, 0)


def _end_in_mlflow(plan: Plan, store: ResultsStore, state: SweepState) -> str:
    """Tell MLflow of a start that came to nothing: a driver before it may have left the sweep's run open there.

    Returns:
        A sentence on what MLflow does not have; empty where it has everything.
    """
    from orchestrator.sweep.delivery import Delivery
    from orchestrator.sweep.late_end import PATIENCE_S

    if state.session == 1:  # nobody has told MLflow anything
        return ""
    return Delivery(store.directory, state.plan, plan.tracking_uri, lambda: state).end(PATIENCE_S)


@contextlib.contextmanager
def ending_the_dead(name: str, sweeps_dir: Path, tracking_uri: str | None = None) -> Iterator[None]:
    """Where the block refuses to go on with a sweep whose driver has died, write that end, in MLflow too.

    Args:
        name: of the sweep.
        sweeps_dir: where it is.
        tracking_uri: as it was given; None: the sweep's own.
    """
    try:
        yield
    except UserError:
        from orchestrator.results.store import look_up_sweep

        with contextlib.suppress(UserError):  # what is wrong with the sweep itself was said
            if (store := look_up_sweep(name, sweeps_dir)) is not None:
                end_of_the_dead(store, tracking_uri)
        raise


def end_of_the_dead(store: ResultsStore, tracking_uri: str | None = None) -> bool:
    """Write the end of a sweep whose driver has died; what cannot be written is said on standard error.

    Returns:
        Whether its driver has died.

    Raises:
        UserError: the sweep cannot be read.
    """
    if store.standing().died is None:
        return False
    from orchestrator.sweep.late_end import end_for_the_dead

    same = tracking_uri is not None and masked(tracking_uri) == store.read_plan().tracking_uri
    try:
        if missing := end_for_the_dead(store, tracking_uri if same else None):
            click.echo(f"{store.directory.name}: {missing}", err=True)
    except (UserError, OSError) as error:  # such as a folder that is read only: how it stands is known all the same
        click.echo(f"{store.directory.name}: its end is not written: {first_line(error)}", err=True)
    return True


def meet_cluster(plan: Plan, console: Console) -> None:
    """Check on one machine of the plan's cluster, to which this process is connected, that its trials can run there.

    An extractor from outside is looked for on every machine.

    Raises:
        UserError: they cannot; one line.
    """
    from orchestrator.doctor.finding import Asked, Level
    from orchestrator.doctor.first_contact import first_contact
    from orchestrator.doctor.outside_extractor import check_extractor_everywhere

    console.print("\nwaiting for a machine that has room for a trial, and checking it ...")
    asked = Asked(
        address=plan.address,
        data=None if plan.synthetic else plan.data,
        sweeps_dir=plan.directory.parent,
        tracking_uri=plan.tracking_uri,
    )
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints what its workers print
        found = list(first_contact(asked, plan.resources.per_rank))
    for finding in found:
        line = f"  {finding.level:<8}{finding.name:<10}{finding.text}"
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)
    if bad := [finding for finding in found if finding.level is Level.FAILED]:
        raise UserError(f"no trial was started: {bad[0].text}: {bad[0].cure}")
    with contextlib.redirect_stdout(sys.stderr):
        check_extractor_everywhere(plan)


def with_packing(
    plan: Plan,
    options: LaunchOptions,
    caches: Sequence[Any],
    available: tuple[int, int] | None,
    console: Console,
    *,
    dry_run: bool,
) -> Plan:
    """`plan` with the trials per GPU that were asked for: measures what one takes, on the connected cluster or here.

    A dry run starts no machine of a cluster for it: where none has room, the launch will measure.

    Raises:
        UserError: they do not fit.
    """
    if options.trials_per_gpu is None:
        return plan
    from orchestrator.plan.packed import costliest, packed
    from orchestrator.sweep.dry_trial import has_room, measure_here, measure_there

    config, needed = costliest(plan.space), replace(plan.resources, gpus=1.0).per_rank
    images = sum(len(cache) * 3 * cache.image_size**2 for cache in caches)
    if plan.address is None:
        measured = measure_here(config, images)
    elif dry_run and not has_room(needed):
        console.print("trials per GPU: measured at the launch, on the first machine; none is up that has room")
        return plan
    else:
        measured = measure_there(config, images, needed)
    return packed(plan, options, measured, available)


def print_end(console: Console, plan: Plan, store: ResultsStore, ending: SweepOutcome) -> None:
    """Print the winner, and what went wrong; a sweep whose storage is away has the second only."""
    from orchestrator.display.summary import print_winner

    try:
        print_winner(console, plan, store)
    except (UserError, OSError) as error:
        console.print(f"no results: {first_line(error)}", style="red", markup=False, soft_wrap=True)
    for trouble in ending.troubles:
        console.print(f"{trouble} (more in {plan.directory / 'sweep.log'})", style="red", markup=False, soft_wrap=True)
    if ending.tracking:
        console.print(
            f"{ending.tracking}; {store.directory} has everything", style="yellow", markup=False, soft_wrap=True
        )
