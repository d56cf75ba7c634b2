"""A trial that the search proposes, as gangs get it. Imports nothing, since every Tune trial's process has it."""

from dataclasses import dataclass, field
from typing import Any


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
