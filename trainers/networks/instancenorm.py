"""Instance normalisation that keeps the memory order of its input.

torch's copies a channels-last input to the other order and returns that, so that every convolution behind it copies it
back: two copies of all activations per norm.
"""

import torch
from torch import Tensor, nn

from trainers.engine.precision import full


class InstanceNorm2d(nn.InstanceNorm2d):
    """torch's affine InstanceNorm2d without running statistics, with its state dict; on the CPU it is torch's."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` -> ``[B, C, H, W]`` in the same memory order."""
        return super().forward(x) if x.device.type == "cpu" else normalise(x, self.weight, self.bias, self.eps)


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Each channel of each image, ``[B, C, H, W]``, to mean `bias` and deviation `weight`, ``[C]`` both.

    Statistics are those of float32 where `x` is in half precision; the result has the type and memory order of `x`.
    """
    values = full(x)
    var, mean = torch.var_mean(values, dim=(2, 3), correction=0, keepdim=True)  # [B, C, 1, 1]
    scale = weight[:, None, None] * torch.rsqrt(var + eps)
    return torch.addcmul(bias[:, None, None] - mean * scale, values, scale).to(x.dtype)
