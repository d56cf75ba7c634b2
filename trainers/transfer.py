"""From the host to the device without waiting."""

import torch
from torch import Tensor


def upload(host: Tensor, device: torch.device) -> Tensor:
    """`host` (any shape, on the CPU) on `device`; the host goes on at once.

    A copy to a GPU waits for the GPU's earlier work unless its source is pinned. torch keeps pinned memory for later
    copies of the same size, and reuses it only when this one is done. On the CPU: `host` itself.
    """
    if device.type == "cuda":
        host = host.pin_memory()
    return host.to(device, non_blocking=True)
