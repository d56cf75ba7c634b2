"""A change of settings within a training, as a schedule has it."""

from typing import Annotated

from pydantic import Field

from orchestrator.space.domains import Value
from orchestrator.space.sections import Section
from trainers.config import MOST


class Change(Section):
    """``{after: 10, set: {optimizer.lr_g: 1e-4}}``: from epoch 11 on these keys have these values.

    Attributes:
        after: the last epoch before it.
        values: by dotted name.
    """

    after: Annotated[int, Field(ge=1, le=MOST)]
    values: dict[str, Value] = Field(alias="set", min_length=1)
