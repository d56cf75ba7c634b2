"""``gan-sweep sync``: delivers to MLflow, Optuna and an object store what a sweep could not deliver."""

from pathlib import Path

import click

from orchestrator.commands.parameters import SweepToFind, Text
from orchestrator.commands.shared import register_option, sweeps_dir_option, tracking_uri_option, with_secrets
from trainers.errors import UserError


@click.command("sync")
@click.argument("sweep", type=SweepToFind())
@tracking_uri_option
@click.option("--storage", type=Text(), metavar="URL", help="As given to launch, where it has a password.")
@register_option
@sweeps_dir_option
def command(sweep: str, tracking_uri: str | None, storage: str | None, register: str | None, sweeps_dir: Path) -> None:
    """Deliver to MLflow, Optuna and an object store what SWEEP could not deliver, in order and once.

    From the first write that MLflow refused on, everything is written again: that changes nothing where it was taken.
    """
    from orchestrator.plan.going_on import with_secret
    from orchestrator.plan.places import check_model_name
    from orchestrator.results.driver_lock import driver_lives
    from orchestrator.results.records import best_trial
    from orchestrator.results.store import find_sweep
    from orchestrator.results.verdict import SweepStatus
    from orchestrator.search.studies import resolve_storage
    from orchestrator.sweep.late_end import end_for_the_dead, tell_optuna
    from orchestrator.sweep.pusher import push_all

    check_model_name(register)
    store = find_sweep(sweep, sweeps_dir, whole=True)
    name, plan = store.directory.name, store.read_plan()
    if driver_lives(store.directory) or store.standing().status is SweepStatus.RUNNING:
        raise UserError(f"sweep {name} runs: its driver delivers by itself")
    uri = with_secrets(plan, tracking_uri).tracking_uri
    if storage is not None:
        storage = with_secret("--storage", plan.storage, resolve_storage(storage, store.directory), name)
    if register is not None and best_trial(store.read_trials()) is None:
        raise UserError(f"--register {register}: {name} has no winner: no trial has an objective so far")
    missing = end_for_the_dead(store, uri, everything=True, register=register or "")
    push_all(store)
    if missing:
        raise UserError(missing)
    tell_optuna(store, storage)
    click.echo(f"MLflow at {plan.tracking_uri} has everything of {name}")
    if register is not None:
        click.echo(f"its best generator is models:/{register}@champion")
