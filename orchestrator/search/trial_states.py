"""The Optuna state of a trial that has ended."""

from collections.abc import Mapping

from optuna.trial import TrialState

from orchestrator.pruning import RULES
from orchestrator.results.verdict import State, state_of
from orchestrator.space.domains import Value
from orchestrator.space.space import Space

HEALTHY = "healthy"  # name of the constraint: positive where the setting itself made its trial fail
FEASIBLE = -1.0


def state_for_optuna(verdict: str, objective: float | None, *, measured: bool) -> tuple[TrialState, bool]:
    """The Optuna state of a trial that ended with `verdict`, and whether its setting made it fail.

    Args:
        verdict: why, in one word; see `orchestrator.results.verdict`.
        objective: lowest FID inside the window, None without one.
        measured: whether it had a FID at all: a PRUNED trial without any teaches nothing.
    """
    state = state_of(verdict, objective)
    if state is State.COMPLETED:
        # Without an objective all of its fakes in the window hardly varied: its setting is at fault.
        return (TrialState.FAIL, True) if objective is None else (TrialState.COMPLETE, False)
    if state in (State.PRUNED, State.STOPPED) and measured:
        return TrialState.PRUNED, False
    return TrialState.FAIL, verdict in RULES


def violation(space: Space, params: Mapping[str, Value], epoch: float) -> float:
    """The constraint's violation for a trial that failed at `epoch`: the share of its epochs that it did not train."""
    epochs = int(params.get("schedule.epochs") or space.base.schedule.epochs)
    return max(1 - epoch / epochs, 1 / epochs)
