"""Makes proposals of searched values."""

from typing import Any

from orchestrator.search.proposal import Proposal
from orchestrator.space.objectives import counted
from orchestrator.space.space import Space
from trainers.errors import UserError


def propose(space: Space, number: int, params: dict[str, Any]) -> Proposal:
    """The proposal of these searched values, which is trial `number` of the study."""
    name = name_of(number)
    try:
        config = space.resolve(params)
    except UserError:  # its gang meets the same error, which becomes the trial's verdict
        return Proposal(name=name, params=params)
    known = counted(space.objectives, config)
    return Proposal(name=name, params=params, epochs=config.schedule.epochs, n_fake=config.fid.n_fake, costs=known)


def name_of(number: int) -> str:
    """A trial's name, from its number in the study."""
    return f"{number:04d}"
