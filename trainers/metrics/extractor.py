"""Extractor: a frozen network that turns images into the feature vectors that FID compares."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Images per forward on a CPU. Images/s for 4 / 8 / 16 / 32 / 96 at once on 2 cores: EfficientNet-Lite0
# 237 / 396 / 440 / 385 / 281, Inception 14 / 15 / 14 / 13 / -. Larger batches fall out of the processor's caches.
CPU_CHUNK = 16


class Extractor(nn.Module):
    """Wraps any module; runs it in eval mode, without gradients, in channels-last memory order.

    Args:
        network: maps uint8 [B, 3, H, W] to floating point [B, dim]; does its own resizing and scaling.
        protocol: network, feature and resize in one word, such as ``inception2048``; becomes part of the metric's name.
        dim: length of a feature vector.
        classes: weights [classes, dim] of a linear layer that tells classes from features, for the Inception score;
            None: it has none.
    """

    classes: Tensor | None

    def __init__(self, network: nn.Module, *, protocol: str, dim: int, classes: Tensor | None = None) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.protocol = protocol
        self.dim = dim
        self.register_buffer("classes", classes, persistent=False)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Extractor":
        """Stays in eval mode whatever `mode` says: an extractor that learns or drops out measures nothing."""
        return super().train(False)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Features float32 [B, dim] of `images` uint8 [B, 3, H, W], which lie on the extractor's device."""
        assert images.dtype == torch.uint8 and images.ndim == 4 and images.shape[1] == 3, (images.dtype, images.shape)
        chunks = images.split(CPU_CHUNK) if images.device.type == "cpu" else (images,)
        with without_tf32():
            features = torch.cat([self.network(chunk).float() for chunk in chunks])
        wanted = (len(images), self.dim)
        assert features.shape == wanted, f"features have the shape {tuple(features.shape)}, dim asks for {wanted}"
        return features

    def fingerprint(self) -> str:
        """SHA-256 (hex) of names, types, shapes and bytes of the weights, equal on every device and memory order."""
        digest = hashlib.sha256()
        for name, value in sorted(self.network.state_dict().items()):
            tensor = value.detach().cpu().contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            digest.update(memoryview(tensor.view(-1).view(torch.uint8).numpy()))
        return digest.hexdigest()


@contextmanager
def without_tf32() -> Iterator[None]:
    """Inside, float32 is float32, so that no objective depends on what a run's own settings leave to its GPU."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
