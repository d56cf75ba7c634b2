"""Boxes that another tool found, from a JSON file in the format of the COCO data set."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from trainers.data.decode import Box, SkippedError
from trainers.data.prepare.detection import Detections, DropReason
from trainers.errors import UserError

# Width over height of the JSON's picture and ours may differ by so much: scaled copies have rounded sides.
_PROPORTIONS = 0.02


class CocoFile:
    """Boxes by file name: ``images[].file_name``, ``annotations[].bbox`` (x, y, width, height), ``categories[].name``.

    A file is found by its relative path, else by its name alone when only one image of the JSON has that name. Boxes
    are in pixels of the upright picture; where ``images[]`` says width and height, they are scaled from those. An
    annotation without a score has 1.

    Args:
        path: the JSON file.
        files: relative paths of the files that `detect` will be called for.

    Raises:
        UserError: it is no such file, or it names none of `files`.
    """

    def __init__(self, path: Path, files: Iterable[str]) -> None:
        self._path = path
        content = _load(path)
        try:
            names = {category["id"]: str(category["name"]) for category in content["categories"]}
            images = {image["id"]: image for image in content["images"]}
            self._sizes: dict[str, tuple[float, float] | None] = {}
            self._found: dict[str, list[tuple[Box, str, float]]] = {}
            for image in images.values():
                name = _posix_path(image["file_name"])
                known = image.get("width") and image.get("height")
                self._sizes[name] = (float(image["width"]), float(image["height"])) if known else None
                self._found[name] = []
            for annotation in content["annotations"]:
                x, y, width, height = map(float, annotation["bbox"])
                box = (x, y, x + width, y + height)
                label, score = names[annotation["category_id"]], float(annotation.get("score", 1.0))
                self._found[_posix_path(images[annotation["image_id"]]["file_name"])].append((box, label, score))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_coco(path, f"{type(error).__name__}: {error}") from error
        self.labels = tuple(sorted(set(names.values())))
        self._by_name = _unique_names(self._found)
        if self._found and not any(self._find(file) for file in files):
            raise UserError(f"--detector {path} names none of the files, its first is {next(iter(self._found))!r}")

    def detect(self, path: str, size: tuple[int, int], view: Callable[[], Image.Image]) -> Detections:
        """The boxes of `path`; the picture itself is not needed.

        Raises:
            SkippedError: the JSON does not know the file, or knows it with other proportions.
        """
        name = self._find(path)
        if name is None:
            raise SkippedError(DropReason.NO_OBJECT, f"{self._path.name} does not name this file")
        across = down = 1.0
        if (theirs := self._sizes[name]) is not None:
            across, down = size[0] / theirs[0], size[1] / theirs[1]
            if abs(across / down - 1) > _PROPORTIONS:
                detail = f"{self._path.name} says {theirs[0]:g}x{theirs[1]:g} pixels, upright it is {size[0]}x{size[1]}"
                raise SkippedError(DropReason.WRONG_BOXES, detail)
        found = self._found[name]
        boxes = [(b[0] * across, b[1] * down, b[2] * across, b[3] * down) for b, _, _ in found]
        return Detections(boxes, [label for _, label, _ in found], [score for _, _, score in found])

    def _find(self, path: str) -> str | None:
        return path if path in self._found else self._by_name.get(PurePosixPath(path).name)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read --detector {path}: {error.strerror}") from error
    except ValueError as error:  # bytes that are no text, too
        raise _not_coco(path, f"no JSON, {error}") from error
    if isinstance(content, list):
        raise UserError(
            f"--detector {path} is a COCO results list, which has image ids and no file names: "
            f"give a file with images, annotations and categories"
        )
    if not isinstance(content, dict):
        raise _not_coco(path, f"it holds a {type(content).__name__}")
    if missing := [key for key in ("images", "annotations", "categories") if not isinstance(content.get(key), list)]:
        raise _not_coco(path, f"no list of {missing[0]}")
    return content


def _posix_path(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def _unique_names(paths: Iterable[str]) -> dict[str, str]:
    """File name to path, for the names that only one path has."""
    by_name: dict[str, str | None] = {}
    for path in paths:
        name = PurePosixPath(path).name
        by_name[name] = None if name in by_name else path
    return {name: path for name, path in by_name.items() if path is not None}


def _not_coco(path: Path, why: str) -> UserError:
    return UserError(f"--detector {path} is not a COCO JSON with images, annotations and categories: {why}")
