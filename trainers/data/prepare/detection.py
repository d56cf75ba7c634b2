"""Where the objects in a picture are: the interface of detectors, and the choice of the one box to crop to."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from PIL import Image

from trainers.data.decode import Box, SkippedError

# Share of the box's width and height that is added at each side, since detectors cut mirrors and tyres tightly.
MARGIN = 0.05


class DropReason(StrEnum):
    """Why a file that can be decoded is not in the dataset."""

    NO_OBJECT = "no_object"  # the detector found none of the wanted class
    SEVERAL_OBJECTS = "several_objects"  # more than one
    WRONG_BOXES = "wrong_boxes"  # the boxes were found in a picture of other proportions
    TOO_SMALL = "too_small"  # shorter side
    ODD_ASPECT = "odd_aspect"  # longer side over shorter side
    TOO_COLOURFUL = "too_colourful"  # the background, see `border_colourfulness`
    DROPPED_TAG = "dropped_tag"  # it has a tag that is not wanted
    DUPLICATE = "duplicate"  # the same bytes as another
    NEAR_DUPLICATE = "near_duplicate"  # the same picture as another, see `near_duplicates`


@dataclass(frozen=True)
class Detections:
    """What was found in one picture: as many boxes as labels and scores."""

    boxes: list[Box]  # left, top, right, bottom in pixels of the upright picture
    labels: list[str]
    scores: list[float]  # 0 to 1

    def __post_init__(self) -> None:
        assert len(self.boxes) == len(self.labels) == len(self.scores)


class Detector(Protocol):
    """Finds objects. Called from several threads at once."""

    labels: tuple[str, ...]  # the classes that it knows

    def detect(self, path: str, size: tuple[int, int], view: Callable[[], Image.Image]) -> Detections:
        """Find the objects of one picture.

        Args:
            path: of the file, relative to the source.
            size: width and height of the upright picture, pixels; boxes are in these.
            view: decodes the upright picture, RGB, its longer side at most 1333 pixels. Not called when not needed.

        Raises:
            SkippedError: the detector cannot tell for this picture.
        """
        ...


def only_box(found: Detections, label: str, min_score: float, size: tuple[int, int]) -> tuple[Box, float]:
    """The box of the only object of a class with its margin, clipped to the picture, and its score.

    Raises:
        SkippedError: there is none, or there are several.
    """
    candidates = []
    for box, name, score in zip(found.boxes, found.labels, found.scores, strict=True):
        left, top, right, bottom = max(0.0, box[0]), max(0.0, box[1]), min(size[0], box[2]), min(size[1], box[3])
        if name == label and score >= min_score and right - left >= 1 and bottom - top >= 1:
            candidates.append(((left, top, right, bottom), score))
    if not candidates:
        others = ", ".join(sorted({n for n, s in zip(found.labels, found.scores, strict=True) if s >= min_score}))
        raise SkippedError(
            DropReason.NO_OBJECT, f"no {label} with a score of {min_score:g}; found: {others or 'nothing'}"
        )
    if len(candidates) > 1:
        scores = ", ".join(f"{score:.2f}" for _, score in sorted(candidates, key=lambda c: -c[1])[:8])
        raise SkippedError(DropReason.SEVERAL_OBJECTS, f"{len(candidates)} of {label}, scores {scores}")
    (left, top, right, bottom), score = candidates[0]
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    # Whole pixels, so that the crop box of the report is the crop.
    crop = (
        max(0, round(left - across)),
        max(0, round(top - down)),
        min(size[0], round(right + across)),
        min(size[1], round(bottom + down)),
    )
    return crop, score
