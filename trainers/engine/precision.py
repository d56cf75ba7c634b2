"""Which numbers are kept in which precision."""

import torch
from torch import Tensor


def full(x: Tensor) -> Tensor:
    """`x` in float32 where it is in half precision: losses, statistics and logits are never less than that."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
