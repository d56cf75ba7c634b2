"""build_detector: a detector by its name, or boxes from a file."""

from collections.abc import Iterable
from pathlib import Path

from trainers.data.prepare.coco import CocoFile
from trainers.data.prepare.detection import Detector
from trainers.data.prepare.torchvision_detector import DETECTORS, TorchvisionDetector
from trainers.errors import UserError, unknown_name


def build_detector(name: str, weights: Path | None, label: str, files: Iterable[str]) -> Detector:
    """The detector of that name, or the boxes of a COCO JSON file.

    Args:
        name: of a torchvision detector, or of a file.
        weights: file with the weights of a torchvision detector; None: torch hub's.
        label: class that is wanted.
        files: relative paths of the files that the detector will be called for.

    Raises:
        UserError: no such detector, file, weights or label.
    """
    detector: Detector
    if name in DETECTORS:
        detector = TorchvisionDetector(name, weights)
    elif Path(name).is_file():
        if weights is not None:
            raise UserError(f"--detector-weights {weights}: boxes from a file ({name}) need no weights")
        detector = CocoFile(Path(name), files)
    elif Path(name).suffix or "/" in name:
        raise UserError(f"--detector {name}: no such file; valid names: {', '.join(sorted(DETECTORS))}")
    else:
        raise unknown_name("detector", name, DETECTORS)
    if label not in detector.labels:
        raise unknown_name("label", label, detector.labels)
    return detector
