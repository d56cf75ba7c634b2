"""Turns one file into one row: an image of the dataset, or the reason why it is none."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from trainers.data.decode import Box, SkippedError, as_square, fitted, open_image, upright_size
from trainers.data.files import text_name
from trainers.data.prepare.detection import Detector, DropReason, only_box
from trainers.data.prepare.measures import border_colourfulness, colour_thumbnail, perceptual_hash
from trainers.data.prepare.options import PrepareOptions, TagTable
from trainers.data.shards import Row

# Longer side of the picture that a detector sees, pixels: what torchvision's detectors scale down to themselves.
VIEW = 1333
# Level of zlib: 0.7 ms and 12.8 kB for a motorbike of 128 px; level 6 takes 1.2 ms and saves nothing.
_COMPRESSION = 3


@dataclass(frozen=True)
class Examiner:
    """Decodes, judges and crops files; called from several threads at once."""

    source: Path
    options: PrepareOptions
    detector: Detector | None
    tags: TagTable

    def examine(self, file: str, sha256: str) -> Row:
        """Decode, judge and crop one file; duplicates are found later.

        Args:
            file: relative path.
            sha256: of its content, hex.
        """
        name = text_name(file)
        text, tags = self.tags.of(name)
        about: dict[str, Any] = {"path": name, "sha256": sha256, "tags_text": text, "tags": tags}
        about["label"] = name.split("/", 1)[0] if "/" in name else ""
        try:
            if unwanted := [tag for tag in tags if tag in self.options.drop_tags]:
                raise SkippedError(DropReason.DROPPED_TAG, ", ".join(unwanted))
            about |= self._picture(self.source / file, name, about)
        except SkippedError as error:
            about |= {"reason": str(error.reason), "detail": error.detail}
        return Row(**about)

    def _picture(self, path: Path, name: str, about: dict[str, Any]) -> dict[str, Any]:
        """The columns of a kept image; those of the file itself go into `about` as soon as they are known."""
        options, first = self.options, self.options.animated == "first"
        with open_image(path, first_frame=first) as image:
            size = upright_size(image)
            about |= {"width": size[0], "height": size[1], "format": image.format or "", "mode": image.mode}
            box: Box | None = None
            if self.detector is not None:

                def view() -> Image.Image:
                    with open_image(path, first_frame=first) as again:
                        return fitted(again, min(VIEW, max(size)), "pad").convert("RGB")

                found = self.detector.detect(name, size, view)
                box, score = only_box(found, options.wanted_label, options.wanted_score, size)
                about |= {"crop": [int(edge) for edge in box], "score": score}
            self._check_shape(size if box is None else (box[2] - box[0], box[3] - box[1]))
            picture = fitted(image, options.size, options.fit, box)
        if options.max_colourfulness is not None:
            colourfulness = border_colourfulness(picture)
            if colourfulness > options.max_colourfulness:
                raise SkippedError(
                    DropReason.TOO_COLOURFUL, f"border {colourfulness:.1f}, at most {options.max_colourfulness:g}"
                )
        return {
            "image": _png(as_square(picture, options.size)),
            "phash": perceptual_hash(picture),
            "colours": colour_thumbnail(picture),
        }

    def _check_shape(self, size: tuple[float, float]) -> None:
        short, long = sorted(size)
        shape = f"{size[0]:g}x{size[1]:g} pixels"
        if short < self.options.min_side:
            raise SkippedError(DropReason.TOO_SMALL, f"{shape}, the shorter side must be {self.options.min_side}")
        if self.options.max_aspect is not None and long > self.options.max_aspect * short:
            raise SkippedError(
                DropReason.ODD_ASPECT, f"{shape}, {long / short:.1f} to 1, at most {self.options.max_aspect:g}"
            )


def _png(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "PNG", compress_level=_COMPRESSION)
    return content.getvalue()
