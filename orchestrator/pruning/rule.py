"""The base class of rules: settings, and a pure function of a history."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from orchestrator.pruning.history import FidPoint, History
from trainers.checked import Checked

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Span = Annotated[float, Field(ge=0)]  # epochs; below 1 a share of the planned run

# In epochs, for a warm-up given as a share. The grey images of an untrained G can have a lower FID than its first
# attempts at pictures, so their FID must not become the best that later FIDs are compared with.
SHORTEST_WARMUP = 10


@dataclass(frozen=True)
class Trip:
    """A rule's finding.

    Attributes:
        verdict: the rule's name.
        sentence: what it saw, for people.
    """

    verdict: str
    sentence: str


class Rule(Checked, ABC):
    """One way in which a trial fails.

    A subclass is one file and one row in `orchestrator.pruning.RULES`. Its fields are what a space's ``pruning:`` block
    may set; their defaults must be safe for every GAN, since every rule is on unless a space says ``NAME: off``.

    Attributes:
        name: of the rule and of the verdict.
        hopeless: the rule sees no hope rather than a failure: a trial that it ends before the window is PRUNED, not
            FAILED.
        at_measurements: it is evaluated only at reports with a FID, because nothing else changes its finding.
        reads: metrics that it needs; it stays silent while none of them has been reported.
        tunable: its numeric settings that ``gan-sweep replay --tune`` searches, each with its range (log scale).
        warmup: epochs in which it stays silent; below 1 a share of the planned run, ten epochs at least.
    """

    model_config = ConfigDict(validate_default=True)

    name: ClassVar[str]
    hopeless: ClassVar[bool] = False
    at_measurements: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ()
    tunable: ClassVar[dict[str, tuple[float, float]]] = {}

    warmup: Span = Field(0, description="epochs in which the rule is silent; below 1: share of the run, 10 at least")

    def grace(self, history: History) -> int:
        """The warm-up as a number of reports."""
        grace = history.span(self.warmup)
        return max(grace, SHORTEST_WARMUP) if 0 < self.warmup < 1 else grace

    def untrained(self, history: History) -> int:
        """Number of reports at the start whose FIDs count for nothing: the first ten, or a shorter warm-up."""
        return min(self.grace(history), SHORTEST_WARMUP)

    def since_best(self, history: History) -> tuple[FidPoint, list[FidPoint]]:
        """The best measurement after the `untrained` ones, and those after it."""
        points = history.after(self.untrained(history))
        best = min(points, key=lambda point: point.fid)
        return best, points[points.index(best) + 1 :]

    @abstractmethod
    def judge(self, history: History) -> str | None:
        """A sentence that says what is wrong, None while nothing is. Must depend on `history` alone."""

    def trip(self, history: History) -> Trip | None:
        """Call `judge`, unless the warm-up lasts, nothing new was measured or its metrics are missing."""
        if (self.at_measurements and not history.just_measured) or history.reports <= self.grace(history):
            return None
        if self.reads and not any(name in history.metrics for name in self.reads):
            return None
        sentence = self.judge(history)
        return None if sentence is None else Trip(self.name, sentence)
