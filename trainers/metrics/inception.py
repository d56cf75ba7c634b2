"""Inception pool3 features: the FID of Heusel et al. 2017 (arXiv:1706.08500) as pytorch-fid computes it."""

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import torch
from filelock import FileLock
from torch import Tensor, nn

from trainers.errors import UserError
from trainers.metrics.extractor import Extractor
from trainers.metrics.weights import not_these, read_state_dict, require_file

PROTOCOL = "inception2048"
WHAT = "the FID Inception weights"
FILE_NAME = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE_NAME}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
# For the connection and for each read: without internet the answer comes while somebody still watches.
TIMEOUT_SECONDS = 10


class InceptionPool3(nn.Module):
    """pytorch-fid's InceptionV3 up to its last average pooling, with pytorch-fid's own preprocessing.

    uint8 [B, 3, H, W] is divided by 255, resized bilinearly to 299x299 (not antialiased) and scaled to [-1, 1]; the
    result is float32 [B, 2048].
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.inception = _build_inception(weights)

    def forward(self, images: Tensor) -> Tensor:
        return self.inception(images.float() / 255)[0].flatten(1)


def build(weights: Path | None) -> Extractor:
    """Build from `weights`, the torch hub cache or a download.

    Raises:
        UserError: none of them has the weights, or the file holds something else.
    """
    return Extractor(InceptionPool3(find_weights(weights)), protocol=PROTOCOL, dim=2048)


def find_weights(weights: Path | None) -> Path:
    """The file with the weights: `weights`, else the one in the torch hub cache, downloaded when missing.

    Raises:
        UserError: there is none, and what to do about it.
    """
    if weights is not None:
        return require_file(weights)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / FILE_NAME
    if not cached.is_file():
        try:
            _download(cached)
        except (OSError, HTTPException) as error:
            raise UserError(
                f"no FID Inception weights: they are not at {cached} and downloading {URL} failed ({error}); "
                f"pass --fid-weights FILE, or compare other features with --fid-extractor efficientnet_lite0"
            ) from error
    return cached


def _download(target: Path) -> None:
    """Not torch.hub's: that one waits without a timeout."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.is_file():  # another process was faster
            return
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with urlopen(URL, timeout=TIMEOUT_SECONDS) as response, part.open("wb") as file:
                while block := response.read(1 << 20):
                    digest.update(block)
                    file.write(block)
            if digest.hexdigest() != SHA256:
                raise OSError(f"got other bytes: SHA-256 {digest.hexdigest()}")
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


def _build_inception(weights: Path) -> nn.Module:
    from pytorch_fid import inception  # brings torchvision, 1 s

    state = read_state_dict(weights, WHAT)

    # pytorch-fid's constructor fetches its weights by URL and takes no file. Its loader is put back at once.
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
