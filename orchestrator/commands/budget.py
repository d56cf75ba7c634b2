"""``gan-sweep budget``: changes how many trials a running sweep has, and its limits."""

from pathlib import Path

import click

from orchestrator.commands.elsewhere import OnCluster, cluster_option
from orchestrator.commands.parameters import SweepToFind, Whole
from orchestrator.commands.shared import budget_options, running_sweep, sweeps_dir_option
from orchestrator.space.sections import MOST_TRIALS
from trainers.errors import UserError


@click.command("budget", cls=OnCluster)
@click.argument("sweep", type=SweepToFind())
@click.option("--trials", type=Whole(1, MOST_TRIALS), metavar="N", help="How many trials in all.")
@budget_options
@cluster_option
@sweeps_dir_option
def command(
    sweep: str,
    trials: int | None,
    time_budget: str | None,
    max_gpu_hours: float | None,
    max_cost: float | None,
    target_fid: float | None,
    sweeps_dir: Path,
) -> None:
    """Change how many trials SWEEP has, or its limits, while it runs. What is not given stays."""
    from dataclasses import asdict

    from orchestrator.plan.budgets import Budgets, read_budgets
    from orchestrator.results.requests import ChangeBudget
    from orchestrator.results.store import find_sweep

    plan = find_sweep(sweep, sweeps_dir).read_plan()
    asked = read_budgets(
        time=time_budget,
        gpu_hours=max_gpu_hours,
        target_fid=target_fid,
        cost=max_cost,
        gpus=float(plan.resources.get("gpus", 0)),
        prices=plan.prices,
    )
    changed = {name: value for name, value in asdict(asked).items() if value is not None}
    if trials is None and not changed:
        raise UserError("nothing to change: give --trials, --time-budget, --max-gpu-hours, --max-cost or --target-fid")
    running = running_sweep(sweep, sweeps_dir)
    running.ask(ChangeBudget(session=running.session, trials=trials, budgets=changed))
    state = running.store.read_state()
    limits = str(Budgets(**state.budgets)) or "no other limit"
    click.echo(f"{running.name}: {state.planned} trials, {limits}")
