"""Runs a planned sweep to its end, or goes on with one: what `launch` and `resume` share."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from trainers.errors import UserError, disk_is_full, first_line, is_full

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.plan.plan import Plan
    from orchestrator.results.saved_plan import SavedPlan
    from orchestrator.results.store import ResultsStore
    from orchestrator.search.warm_start import WarmStart
    from orchestrator.sweep.driver import SweepOutcome


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
    from orchestrator.results.argument import argument_of
    from orchestrator.results.places import LOG_FILE
    from orchestrator.results.verdict import SweepStatus
    from orchestrator.sweep.detach import let_go
    from orchestrator.sweep.driver import SweepOutcome, run_sweep
    from orchestrator.sweep.orphans import end_orphans
    from orchestrator.sweep.ray_session import connected, log_to
    from orchestrator.sweep.session import Session
    from orchestrator.sweep.signals import Interrupts

    session = Session(store)
    state = session.open(trials=plan.trials, budgets=asdict(plan.budgets), changed=changed)
    let_go(plan.sweep, plan.directory / LOG_FILE)
    with Interrupts(lambda: session.end(SweepStatus.INTERRUPTED), console.print) as interrupts:
        end_orphans(console.print)
        ending: SweepOutcome | None = None
        console.print("\nstarting Ray and the gangs, some 20 s ...")
        try:
            with log_to(plan.directory / LOG_FILE), connected(plan.address):
                interrupts.check()
                ending = run_sweep(plan, store, session, state, Screen(console), interrupts, warm)
        except KeyboardInterrupt:
            ending = SweepOutcome(SweepStatus.INTERRUPTED, [])
            session.end(ending.status)
        except Exception as error:
            if ending is None or not isinstance(error, OSError):  # else the log cannot be closed: its storage is away
                session.end(SweepStatus.FAILED, first_line(error))
                if is_full(error):
                    raise disk_is_full(error, plan.directory.parent) from error
                raise
        finally:
            session.close()
    print_end(console, plan, store, ending)
    if session.pusher is not None and session.pusher.missing:
        cure = f"`gan-sweep sync {argument_of(store.directory)}`, on this machine, pushes the rest"
        text = f"{session.pusher.missing}: {cure}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    return {SweepStatus.INTERRUPTED: 130, SweepStatus.FAILED: 1}.get(ending.status, 0)


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
