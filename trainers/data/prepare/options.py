"""The options of a preparation: their checks, and the values that tell one dataset from another."""

import hashlib
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trainers.data.decode import FITS
from trainers.data.prepare.detection import Detector
from trainers.data.prepare.detectors import build_detector
from trainers.data.tags import find_id, read_tag_texts, read_tags
from trainers.errors import UserError, unknown_name

ANIMATED = ("drop", "first")
DEFAULT_LABEL = "motorcycle"
DEFAULT_MIN_SCORE = 0.5


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """What `prepare` does with each file.

    Attributes:
        size: side of the square images, pixels.
        fit: ``"pad"`` or ``"stretch"``, see `decode_image`.
        detector: torchvision's name or a COCO JSON file; None: whole pictures.
        detector_weights: file with the weights of a torchvision detector; None: torch hub's.
        label: class to crop to; None: motorcycle.
        min_score: least score of a detection that counts, 0 to 1; None: 0.5.
        min_side: least shorter side of a picture, or of its crop, pixels.
        max_aspect: largest ratio of longer to shorter side, of a picture or its crop; None: any.
        max_colourfulness: largest colourfulness of the border, see `border_colourfulness`; None: any.
        animated: ``"drop"`` animations, or keep their ``"first"`` frame.
        dedupe: of duplicates and near duplicates keep only the largest.
        tags: CSV, see `read_tags`.
        drop_tags: files with one of these are dropped.

    Raises:
        UserError: a value is out of its range, or makes no sense without another.
    """

    size: int = 128
    fit: str = "pad"
    detector: str | None = None
    detector_weights: Path | None = None
    label: str | None = None
    min_score: float | None = None
    min_side: int = 1
    max_aspect: float | None = None
    max_colourfulness: float | None = None
    animated: str = "drop"
    dedupe: bool = False
    tags: Path | None = None
    drop_tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, value, valid in (("fit", self.fit, FITS), ("animated", self.animated, ANIMATED)):
            if value not in valid:
                raise unknown_name(kind, value, valid)
        for option, number, least in (
            ("--size", self.size, 1),
            ("--min-side", self.min_side, 1),
            ("--max-aspect", self.max_aspect, 1),
            ("--max-colourfulness", self.max_colourfulness, 0),
            ("--min-score", self.min_score, 0),
        ):
            if number is not None and not number >= least:
                raise UserError(f"{option} must be at least {least}, got {number:g}")
        if self.min_score is not None and self.min_score > 1:
            raise UserError(f"--min-score must be at most 1, got {self.min_score:g}")
        if self.detector is None:
            given = {"--detector-weights": self.detector_weights, "--label": self.label, "--min-score": self.min_score}
            if alone := [option for option, value in given.items() if value is not None]:
                raise UserError(f"{alone[0]} needs --detector NAME|FILE")
        if self.drop_tags and self.tags is None:
            raise UserError(f"--drop-tag {self.drop_tags[0]!r} needs --tags CSV")

    def arguments(self) -> dict[str, Any]:
        """The values that determine the dataset, as in ``dataset.json``: files are named with their contents' SHA-256.

        Raises:
            UserError: a file cannot be read.
        """
        values = asdict(self)
        if self.detector is not None:
            values["label"], values["min_score"] = self.wanted_label, self.wanted_score
            values["detector"] = _with_digest(Path(self.detector)) if Path(self.detector).is_file() else self.detector
        for name, file in (("tags", self.tags), ("detector_weights", self.detector_weights)):
            values[name] = None if file is None else _with_digest(file)
        values["drop_tags"] = sorted(set(self.drop_tags))
        return values

    @property
    def wanted_label(self) -> str:
        """The class to crop to."""
        return self.label or DEFAULT_LABEL

    @property
    def wanted_score(self) -> float:
        """The least score of a detection."""
        return DEFAULT_MIN_SCORE if self.min_score is None else self.min_score

    def build_detector(self, files: list[str]) -> Detector | None:
        """The detector; None if the options name none.

        Raises:
            UserError: it cannot be built, or does not know the label.
        """
        if self.detector is None:
            return None
        return build_detector(self.detector, self.detector_weights, self.wanted_label, files)


@dataclass(frozen=True)
class TagTable:
    """The tags of a source's files."""

    texts: dict[str, str]  # id to what the CSV says
    tags: dict[str, tuple[str, ...]]  # the same, parsed
    unmatched: tuple[str, ...]  # ids without a file

    def of(self, file: str) -> tuple[str, list[str]]:
        """Text and tags of a file; empty where the CSV does not know it."""
        name = find_id(file, self.tags)
        return ("", []) if name is None else (self.texts[name], list(self.tags[name]))


def read_tag_table(options: PrepareOptions, files: list[str]) -> TagTable:
    """The tags of `files`; empty when the options name no CSV.

    Raises:
        UserError: the CSV cannot be read, names none of `files`, or has none of the tags to drop.
    """
    if options.tags is None:
        return TagTable({}, {}, ())
    tags = read_tags(options.tags)
    matched = {find_id(file, tags) for file in files}
    if files and matched == {None}:
        raise UserError(f"the tags file {options.tags} names none of the files: its first id is {next(iter(tags))!r}")
    known = {tag for several in tags.values() for tag in several}
    for tag in options.drop_tags:
        if tag not in known:
            # A tags file can have thousands of tags.
            raise unknown_name("tag", tag, known if len(known) <= 40 else _close_names(tag, known))
    return TagTable(read_tag_texts(options.tags), tags, tuple(name for name in tags if name not in matched))


def _close_names(name: str, known: set[str]) -> list[str]:
    return get_close_matches(name, sorted(known), n=10, cutoff=0.4)


def _with_digest(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return f"{file.name} (sha256 {hashlib.file_digest(content, 'sha256').hexdigest()})"
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
