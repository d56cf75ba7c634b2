"""Where half precision is used, and where it is not."""

import torch
from torch import Tensor

from trainers.config import TrainConfig
from trainers.regularizers import penalised


def full(x: Tensor) -> Tensor:
    """`x` in float32 where it is in half precision: losses, statistics and logits are never less than that."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def autocast(device: torch.device, precision: str, *, enabled: bool = True) -> torch.autocast:
    """A context for forward passes: bfloat16 where `precision` is ``bf16`` and it is `enabled`, else float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled and precision == "bf16")


def set_up_kernels(config: TrainConfig) -> None:
    """Choose the kernels of this process's GPU for a run. Every run calls this: a process trains one after another.

    TF32 keeps 10 of float32's 23 bits in products of matrices and convolutions; torch's own defaults are TF32 in cuDNN
    and none in cuBLAS. It is off where penalties run, which differentiate twice. cuDNN measures its algorithms once per
    shape, and a run has few shapes.
    """
    allowed = config.runtime.tf32 and not penalised(config.regularizer)
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cudnn.benchmark = True
