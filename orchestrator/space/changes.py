"""A change of settings within a training, as a schedule has it."""

from typing import Annotated

from pydantic import Field

from orchestrator.space.domains import Value
from orchestrator.space.sections import Section
from trainers.config import MOST


class Change(Section):
    """``{from: 11, set: {optimizer.lr_g: 1e-4}}``: from epoch 11 on these keys have these values.

    Attributes:
        first: its first epoch, which is never a training's first.
        values: by dotted name.
    """

    first: Annotated[int, Field(ge=2, le=MOST, alias="from")]
    values: Annotated[dict[str, Value], Field(alias="set", min_length=1)]
