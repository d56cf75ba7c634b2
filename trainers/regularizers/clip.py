"""Weight clipping (Arjovsky et al. 2017, arXiv:1701.07875)."""

import torch
from torch import nn


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Clamp every parameter to +- `limit`, in place; biases and BatchNorm's too, as Edouard99/GAN does.

    Those that are not trained stay as they are.
    """
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.clamp_(-limit, limit)
