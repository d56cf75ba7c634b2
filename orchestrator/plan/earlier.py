"""The earlier sweeps of ``--warm-start``: their trials for a plan's sampler, and ``--narrow``."""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.plan.plan import Plan
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore
from orchestrator.search.warm_start import WarmStart, read_warm_start
from orchestrator.space.narrowing import Narrowing, narrow, narrowed_again
from trainers.errors import UserError


def warm_start_of(plan: Plan, gone: Callable[[UserError], None] | None = None) -> WarmStart | None:
    """The trials of a plan's earlier sweeps, for its space as it is; None where it has none.

    Args:
        plan: of the sweep.
        gone: as of `read_warm_start`.

    Raises:
        UserError: one of the sweeps does not compare, or none of its trials fits.
    """
    if not plan.warm_start:
        return None
    stores = [ResultsStore(directory) for directory in plan.warm_start]
    return read_warm_start(stores, plan.space, metric=plan.metric, data=str(plan.data), gone=gone)


def narrowed(plan: Plan, share: float | None) -> Plan:
    """The plan of a new sweep in the space in which the best share of the earlier trials was; None: as it is.

    Raises:
        UserError: too few of them are good, or as of `warm_start_of`.
    """
    if share is None or (warm := warm_start_of(plan)) is None:
        return plan
    space, narrowing = narrow(plan.space, warm.best(share), share=share, trials=len(warm.trials))
    return replace(plan, space=space, narrowed=narrowing)


def narrowed_as_launched(plan: Plan, saved: SavedPlan, share: float | None) -> Plan:
    """The plan of a sweep that goes on, in the space to which it was narrowed at its launch.

    Args:
        plan: as it is without that.
        saved: as it was launched.
        share: given anew; None: as before.

    Raises:
        UserError: it is another share.
    """
    before = Narrowing(**saved.narrowed) if saved.narrowed else None
    if share is not None and (before is None or share != before.share):
        there = "without --narrow" if before is None else f"with --narrow {before.share:g}"
        raise UserError(f"--narrow {share:g}: {saved.sweep} was launched {there}")
    if before is None:
        return plan
    return replace(plan, space=narrowed_again(plan.space, before, saved.definition), narrowed=before)
