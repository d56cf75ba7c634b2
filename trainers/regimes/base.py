"""The interface of a regime."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from trainers.randomness import GlobalRandom


@dataclass(frozen=True, kw_only=True)
class Updates:
    """What one iteration, on one batch of real images, updates.

    Attributes:
        d: whether D is updated (see also `Regime.allows_d`).
        g_steps: how many times G is updated.
        swapped: whether D is told that real images are fakes and fakes are real.
    """

    d: bool
    g_steps: int
    swapped: bool = False


class Regime(ABC):
    """Which updates an iteration makes. Every rank of a run gets the same answers."""

    @abstractmethod
    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        """The updates of `iteration`, counted from 0 over the whole run; may draw from `random`."""

    def allows_d(self, d_loss: Tensor) -> bool | Tensor:
        """Whether to update D, given this rank's loss.

        A regime that looks at the loss answers with a bool scalar on its device, so that the CPU never waits for it.
        """
        return True

    def saw_g(self, g_loss: Tensor) -> None:  # noqa: B027 (most regimes look at no loss)
        """Called after each update of G with its loss, this rank's share."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; empty for regimes without memory."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 (most have no memory)
        """Restore what `state_dict` returned."""
