"""torchvision's detectors, trained on COCO.

torchvision takes more than a second to import, so functions import it: a preparation without a detector never does.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from trainers.data.prepare.detection import Detections
from trainers.download import DownloadError, hub_file
from trainers.errors import UserError, first_line

# In the order of box mAP on COCO in torchvision's table: 21, 25, 33, 36 and 37 points.
DETECTORS = (
    "ssdlite320_mobilenet_v3_large",
    "ssd300_vgg16",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "retinanet_resnet50_fpn",
    "fasterrcnn_resnet50_fpn",
)
# Most characters of torch's reason: one line of it may list every name that does not fit.
_LONGEST = 200


class TorchvisionDetector:
    """A detector of torchvision on the GPU, or on all cores. Threads wait for each other: one picture at a time.

    Args:
        name: one of DETECTORS.
        weights: file with its weights; None: torch hub's cache, downloaded when missing.

    Raises:
        UserError: there are no weights, or they belong to another network.
    """

    def __init__(self, name: str, weights: Path | None) -> None:
        from torchvision.models import get_model_weights

        published = get_model_weights(name)["DEFAULT"]
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._names: list[str] = published.meta["categories"]
        self._network = _build(name, published, _find_weights(name, published.url, weights)).eval().to(self._device)
        self._lock = threading.Lock()
        self.labels = tuple(sorted({label for label in self._names if label not in ("__background__", "N/A")}))

    def detect(self, path: str, size: tuple[int, int], view: Callable[[], Image.Image]) -> Detections:
        """What the network finds in the picture."""
        picture = view()
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).to(self._device)
        with self._lock, torch.inference_mode():
            found = self._network([pixels.float() / 255])[0]
        scale = torch.tensor([size[0] / picture.width, size[1] / picture.height] * 2)
        boxes = [(b[0], b[1], b[2], b[3]) for b in (found["boxes"].cpu() * scale).tolist()]
        return Detections(boxes, [self._names[i] for i in found["labels"].tolist()], found["scores"].tolist())


def _build(name: str, published: Any, file: Path) -> nn.Module:
    from torchvision.models import WeightsEnum, get_model

    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for broken files
        raise UserError(f"{file} cannot be read as weights of {name}: {first_line(error, _LONGEST)}") from error

    def load_from_file(*_: Any, **__: Any) -> Any:
        return state

    # torchvision freezes batch norms and sets their epsilon only when told that the weights are the published ones,
    # and then fetches them by URL. Its loader is replaced for this call only.
    original = WeightsEnum.get_state_dict
    WeightsEnum.get_state_dict = load_from_file
    try:
        network: nn.Module = get_model(name, weights=published)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(f"{file} does not hold the weights of {name}: {first_line(error, _LONGEST)}") from error
    finally:
        WeightsEnum.get_state_dict = original
    return network


def _find_weights(name: str, url: str, weights: Path | None) -> Path:
    if weights is not None:
        if not weights.is_file() or not os.access(weights, os.R_OK):
            raise UserError(f"--detector-weights {weights}: no such readable file")
        return weights
    try:
        return hub_file(url, _published_sha256(url))
    except DownloadError as error:
        raise UserError(
            f"no weights for {name}: {error}; put that file at {error.target}, or name it with --detector-weights FILE"
        ) from error


def _published_sha256(url: str) -> str:
    """The first digits of the SHA-256, which end the names of torchvision's files: ``NAME-1a2b3c4d.pth``."""
    return Path(url).stem.rsplit("-", 1)[1]
