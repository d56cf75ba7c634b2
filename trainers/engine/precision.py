"""Where half precision is used, and where it is not."""

import torch
from torch import Tensor


def full(x: Tensor) -> Tensor:
    """`x` in float32 where it is in half precision: losses, statistics and logits are never less than that."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def autocast(device: torch.device, precision: str, *, enabled: bool = True) -> torch.autocast:
    """A context for forward passes: bfloat16 where `precision` is ``bf16`` and it is `enabled`, else float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled and precision == "bf16")
