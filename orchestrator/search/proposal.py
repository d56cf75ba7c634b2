"""A trial that the search proposes."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator.space.objectives import KNOWN_BEFOREHAND, costs
from orchestrator.space.space import Space
from trainers.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A trial that the search proposes.

    Attributes:
        name: its number in the study, four digits.
        params: its searched values.
        epochs: planned; 0 where the values are invalid: then the gang that takes the trial says why.
        n_fake: generated images of the objective's protocol.
        costs: values of objectives that are known beforehand.
        repeats: the trial whose setting it has, with another seed; empty for one of the search.
    """

    name: str
    params: dict[str, Any]
    epochs: int = 0
    n_fake: int = 0
    costs: dict[str, float] = field(default_factory=dict)
    repeats: str = ""


def propose(space: Space, number: int, params: dict[str, Any]) -> Proposal:
    """The proposal of these searched values, which is trial `number` of the study."""
    name = name_of(number)
    try:
        config = space.resolve(params)
    except UserError:  # its gang meets the same error, which becomes the trial's verdict
        return Proposal(name=name, params=params)
    known = costs([cost for cost in space.objectives if cost in KNOWN_BEFOREHAND], config, 0.0)
    return Proposal(name=name, params=params, epochs=config.schedule.epochs, n_fake=config.fid.n_fake, costs=known)


def name_of(number: int) -> str:
    """A trial's name, from its number in the study."""
    return f"{number:04d}"
