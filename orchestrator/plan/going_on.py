"""The plan of a sweep that goes on: what stays, what may be given anew, and whether anything is left to do."""

from dataclasses import replace
from pathlib import Path

from orchestrator.plan.budgets import Budgets
from orchestrator.plan.plan import Plan
from orchestrator.plan.prices import check_priced
from orchestrator.plan.starting import KEY
from orchestrator.results.records import lowest_objective
from orchestrator.results.repeats import are_left, searched
from orchestrator.results.retention import finalists
from orchestrator.results.standing import last_sign
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.objectives import called
from trainers.errors import UserError
from trainers.masking import is_masked, masked
from trainers.metric_names import maximised


def as_it_stands(
    plan: Plan,
    state: SweepState,
    *,
    trials: int | None,
    budgets: Budgets,
    tracking_uri: str | None,
    storage: str | None,
) -> Plan:
    """`plan` with what the sweep has by now wherever nothing is given.

    Args:
        plan: of the sweep.
        state: how it stands.
        trials: how many in all; None: as before.
        budgets: limits of the whole sweep; None: as before.
        tracking_uri, storage: as they were given again; None: as before.

    Raises:
        UserError: a URI is another than the sweep's, or is not given and has a secret, which is not kept; money is
            limited and has no price; or the sweep has more trials than are asked for.
    """
    if trials is not None and trials < (there := state.proposed()):
        raise UserError(f"--trials {trials}: {state.plan.sweep} has {there} trials already: must be at least {there}")
    if trials is not None and trials > state.planned and KEY in plan.space.search and plan.space.going_on():
        raise UserError(
            f"--trials {trials}: the trials of {state.plan.sweep} go on from checkpoints of their own, and no others "
            "can be drawn: gan-sweep extend makes another sweep of more"
        )
    saved, before = state.plan, Budgets(**state.budgets)
    limit = budgets.cost or before.cost
    check_priced(limit, plan.prices, plan.resources.gpus)
    return replace(
        plan,
        space=plan.space.model_copy(update={"trials": trials or state.planned}),
        budgets=Budgets(
            time_s=budgets.time_s or before.time_s,
            gpu_hours=budgets.gpu_hours or before.gpu_hours,
            target_fid=budgets.target_fid or before.target_fid,
            cost=limit,
        ),
        tracking_uri=with_secret("--tracking-uri", saved.tracking_uri, tracking_uri, saved.sweep),
        storage=with_secret("--storage", saved.storage, storage, saved.sweep),
        warm_start=tuple(map(Path, saved.warm_start)),
        hang_timeout_s=plan.hang_timeout_s or saved.hang_timeout_s,
    )


def check_left(state: SweepState, plan: Plan) -> None:
    """Check that something is left to do: trials, or the best ones to be measured again.

    Raises:
        UserError: a budget is used up, or all trials are over.
    """
    measuring = state.halting is not None and not state.halting.gangs_exit  # when its driver died
    best = finalists(state.trials.values())[: plan.space.confirm.top]
    if measuring and any(not state.trials[one].confirmed for one in best):
        return
    confirm = plan.space.confirm
    repeating = are_left(state.trials.values(), confirm.top, confirm.train_seeds)
    now = last_sign(plan.directory, state)
    reached = plan.budgets.reached(
        seconds=state.seconds(now),
        gpu_hours=state.gpu_hours(now),
        cost=plan.prices.cost(
            on_gpus=plan.resources.gpus > 0, gpu_hours=state.gpu_hours(now), seconds=state.seconds(now)
        ),
        objective=lowest_objective(list(state.trials.values())),
        name=state.plan.objectives[0],
    )
    measure = state.plan.objectives[0]
    target, better = f"target {called(measure)}", "higher" if maximised(measure) else "lower"
    more = {
        SweepStatus.TARGET_REACHED: f"its {target} is reached: a {better} --target-fid goes on",
        SweepStatus.OUT_OF_TIME: "its time budget is used up: a longer --time-budget goes on",
        SweepStatus.OUT_OF_GPU_HOURS: "its GPU hours are used up: a larger --max-gpu-hours goes on",
        SweepStatus.OUT_OF_MONEY: "its money is used up: a larger --max-cost goes on",
    }
    if reached is not None and not (repeating and reached is SweepStatus.TARGET_REACHED):  # which is of the search
        raise UserError(f"sweep {plan.sweep}: {more[reached]}")
    own = searched(state.trials.values())
    there, over = state.proposed(), all(trial.over for trial in own)
    if state.status is SweepStatus.FINISHED and over and not repeating and len(own) == there >= plan.trials:
        how_many = f"{there} of {state.planned} trials"
        raise UserError(f"sweep {plan.sweep} is finished: {how_many}; more: --trials {2 * there}")


def with_secret(option: str, kept: str, given: str | None, sweep: str) -> str:
    """A URI that the sweep keeps without its secrets, as it was `given` again.

    Raises:
        UserError: it is another than the sweep's, or is not given and has a secret.
    """
    if given is None:
        if is_masked(kept):
            raise UserError(f"{sweep} uses {kept}: give that with its password: {option} URI")
        return kept
    if masked(given) != kept:
        raise UserError(f"{option} {masked(given)}: {sweep} uses {kept}")
    return given
