"""All advice on a sweep that is over."""

from collections.abc import Sequence

from orchestrator.display.advice.broken import broken
from orchestrator.display.advice.edges import edges
from orchestrator.display.advice.finding import Finding, facts_of
from orchestrator.display.advice.influence import influence
from orchestrator.display.advice.leaders import leaders
from orchestrator.display.advice.window import window
from orchestrator.results.records import TrialRecord
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from trainers.errors import UserError
from trainers.metric_names import FID

KINDS = (edges, window, influence, broken, leaders)


def advice_on(state: SweepState, status: SweepStatus) -> list[Finding]:
    """The advice on a sweep; none while it runs, or where this version cannot read its space.

    Args:
        state: by its log.
        status: how it stands, also where its driver has died.
    """
    if status is SweepStatus.RUNNING:
        return []
    try:
        space = build_space(state.plan.space, state.plan.definition)
    except UserError:
        return []
    return advice(state.by_number(), space)


def advice(trials: Sequence[TrialRecord], space: Space) -> list[Finding]:
    """What the numbers of a search say about the next one, and nothing where they say nothing: a pure function of them.

    With two objectives only rules are spoken of: there is no best trial. So too with another objective than FID: what
    the others say was tried on FIDs alone.

    Args:
        trials: of the sweep.
        space: what it searched.
    """
    facts = facts_of(trials, space)
    kinds = KINDS if space.objectives == (FID,) else (broken,)
    return [finding for kind in kinds for finding in kind(facts)]
