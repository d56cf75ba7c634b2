"""Inception pool3 features: the FID of Heusel et al. 2017 (arXiv:1706.08500) as pytorch-fid computes it."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainers.download import DownloadError, hub_file
from trainers.errors import UserError
from trainers.metrics.extractor import Extractor
from trainers.metrics.weights import not_these, read_state_dict, require_file

PROTOCOL = "inception2048"
WHAT = "the FID Inception weights"
URL = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class InceptionPool3(nn.Module):
    """pytorch-fid's InceptionV3 up to its last average pooling, with pytorch-fid's own preprocessing.

    uint8 [B, 3, H, W] is divided by 255, resized bilinearly to 299x299 (not antialiased) and scaled to [-1, 1]; the
    result is float32 [B, 2048].
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        state = read_state_dict(weights, WHAT)
        self.inception = _build_inception(weights, state)
        self.classes: Tensor = state["fc.weight"]  # [1008, 2048], which FID does without; no part of the fingerprint

    def forward(self, images: Tensor) -> Tensor:
        return self.inception(images.float() / 255)[0].flatten(1)


def build(weights: Path | None) -> Extractor:
    """Build from `weights`, the torch hub cache or a download.

    Raises:
        UserError: none of them has the weights, or the file holds something else.
    """
    network = InceptionPool3(find_weights(weights))
    return Extractor(network, protocol=PROTOCOL, dim=2048, classes=network.classes)


def find_weights(weights: Path | None) -> Path:
    """The file with the weights: `weights`, else the one in the torch hub cache, downloaded when missing.

    Raises:
        UserError: there is none; the text says what to do about it.
    """
    if weights is not None:
        return require_file(weights)
    try:
        return hub_file(URL, SHA256)
    except DownloadError as error:
        raise UserError(
            f"no FID Inception weights: they are not at {error.target} and {error}; "
            f"pass --fid-weights FILE, or compare other features with --fid-extractor efficientnet_lite0"
        ) from error


def _build_inception(weights: Path, state: dict[str, Any]) -> nn.Module:
    from pytorch_fid import inception  # imports torchvision, which takes 1 s

    # pytorch-fid's constructor fetches its weights by URL and takes no file. Its loader is replaced for this call only.
    def load_from_file(*_: Any, **__: Any) -> dict[str, Any]:
        return state

    original = inception.load_state_dict_from_url
    inception.load_state_dict_from_url = load_from_file
    try:
        network: nn.Module = inception.InceptionV3()
    except (RuntimeError, TypeError, AttributeError) as error:
        raise not_these(weights, WHAT, error) from error
    finally:
        inception.load_state_dict_from_url = original
    return network
