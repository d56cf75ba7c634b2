"""Dropout over the global batch: the masks that one rank would draw, whatever the number of ranks."""

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.distributed import world_size
from trainers.randomness import GlobalRandom


class GlobalDropout(nn.Module):
    """Inverted dropout of single values.

    Args:
        p: probability that a value becomes 0.

    Attributes:
        random: source of the masks; None (outside training runs): torch's own generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.random: GlobalRandom | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``[B, ...]`` -> ``[B, ...]``; the identity in evaluation."""
        if not self.training or self.p == 0:
            return x
        if self.random is None:
            return F.dropout(x, self.p)
        kept = self.random.uniform(x.shape[0] * world_size(), *x.shape[1:]) >= self.p
        return x * kept / (1 - self.p)

    def extra_repr(self) -> str:
        """As torch's own dropout prints itself."""
        return f"p={self.p}"


def bind_dropout(network: nn.Module, random: GlobalRandom) -> None:
    """Let every GlobalDropout of `network` draw from `random`."""
    for module in network.modules():
        if isinstance(module, GlobalDropout):
            module.random = random
