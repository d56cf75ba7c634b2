"""What a rule is: settings, and a pure judgement of a history."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.pruning.history import History

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Trip:
    """A rule's finding.

    Attributes:
        verdict: the rule's name.
        sentence: what it saw, for people.
    """

    verdict: str
    sentence: str


class Rule(BaseModel, ABC):
    """One way in which a trial fails.

    A subclass is one file and one row in `orchestrator.pruning.RULES`. Its fields are what a space's ``pruning:`` block
    may set; their defaults must be safe for every GAN, since every rule is on unless a space says ``NAME: off``.

    Attributes:
        name: of the rule and of the verdict.
        hopeless: the rule sees no hope rather than a failure: a trial that it ends before the window is PRUNED, not
            FAILED.
        at_rungs: it can only change its mind at a report with a FID.
        warmup: share of the planned run, or epochs from 1 on, in which it stays silent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    name: ClassVar[str]
    hopeless: ClassVar[bool] = False
    at_rungs: ClassVar[bool] = False

    warmup: float = Field(0, ge=0, description="epochs without judgement; below 1: share of the planned run")

    @abstractmethod
    def judge(self, history: History) -> str | None:
        """A sentence that says what is wrong, None while nothing is. Must depend on `history` alone."""

    def trip(self, history: History) -> Trip | None:
        """`judge` where there is anything new to judge."""
        if (self.at_rungs and not history.at_rung) or history.reports <= history.span(self.warmup):
            return None
        sentence = self.judge(history)
        return None if sentence is None else Trip(self.name, sentence)


def is_finite(value: float | None) -> bool:
    """Whether there is a value, and it is finite."""
    return value is not None and math.isfinite(value)
