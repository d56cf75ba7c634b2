"""Which values of a loss mean that a network has won. Imports no torch: rules outside of training read it."""

from dataclasses import dataclass
from math import log
from typing import Self

# Binary cross-entropy where D tells nothing apart. D's loss has a real and a fake term, G's one.
BCE_D = 2 * log(2)
BCE_G = log(2)


@dataclass(frozen=True, kw_only=True)
class LossMarks:
    """The loss of D or of G, measured in units of binary cross-entropy.

    Attributes:
        won: its value where that network has won: its lowest, where it has one.
        unit: by how much it changes where binary cross-entropy changes by 1.
    """

    won: float = 0.0
    unit: float = 1.0

    def at(self, bce: float) -> float:
        """The value that stands where binary cross-entropy, whose `won` is 0, stands at `bce`."""
        return self.won + bce * self.unit


@dataclass(frozen=True, kw_only=True)
class LossScale:
    """What the values of a loss mean.

    Attributes:
        d: of D's loss; None where no value of it means that D has won.
        g: of G's loss; None where no value of it means that G has won.
    """

    d: LossMarks | None
    g: LossMarks | None

    @classmethod
    def between(cls, *, d: tuple[float, float] | None, g: tuple[float, float] | None) -> Self:
        """From two values of each loss: where that network has won, and where D tells nothing apart."""
        return cls(d=_marks(d, BCE_D), g=_marks(g, BCE_G))

    def times(self, count: int) -> "LossScale":
        """That of a sum of `count` losses."""
        d, g = (None if m is None else LossMarks(won=m.won * count, unit=m.unit * count) for m in (self.d, self.g))
        return LossScale(d=d, g=g)


def _marks(values: tuple[float, float] | None, bce: float) -> LossMarks | None:
    if values is None:
        return None
    won, undecided = values
    assert undecided > won, f"a network that has won has a lower loss than {undecided}, not {won}"
    return LossMarks(won=won, unit=(undecided - won) / bce)


# A log does not say which loss it has: its values are taken as they are.
UNNAMED = LossScale(d=LossMarks(), g=LossMarks())
