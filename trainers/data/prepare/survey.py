"""survey: what is in a folder of images, or in a prepared dataset, without changing it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from trainers.data.cache_report import SkippedFile
from trainers.data.decode import SkipReason
from trainers.data.files import find_files, find_sidecars, hash_file, require_folder
from trainers.data.manifest import find_manifest
from trainers.data.pool import cores, in_order
from trainers.data.prepare.detection import DropReason
from trainers.data.prepare.examine import Examiner
from trainers.data.prepare.near import mark_duplicates
from trainers.data.prepare.options import PrepareOptions, TagTable
from trainers.data.prepare.sheet import TILES, contact_sheet
from trainers.data.prepare.thumbnails import thumbnail
from trainers.data.shards import Row, read_dataset, read_images
from trainers.data.tags import find_id, read_tags
from trainers.errors import UserError

# Examples per reason, and of alike images.
EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What there is.

    Attributes:
        folder: as it was named.
        prepared: whether it is a prepared dataset; sizes, formats and modes are then those of the original files.
        files: images and bad files; of a dataset, of the folder that it was made from.
        images: that can be decoded.
        bad: files that cannot, or that preparation dropped: reason to number.
        examples: some of them, for each reason.
        widths, heights: smallest, median and largest, pixels, upright.
        formats, modes: as Pillow names them, to number of images.
        duplicates: images with the same bytes as another.
        near_duplicates: images that are like another, see `near_duplicates`.
        alike: some of both, each with the one that it is like.
        labels: top subfolder to number of images.
        tags: tag to number of images, the most frequent first.
        untagged: images without tags, where there are any tags.
        tags_without_image: ids of the CSV that have no file.
        notes: for people: files of tags that were read, or why they could not be.
    """

    folder: str
    prepared: bool
    files: int
    images: int
    bad: dict[str, int] = field(default_factory=dict)
    examples: tuple[SkippedFile, ...] = ()
    widths: tuple[float, float, float] = (0, 0, 0)
    heights: tuple[float, float, float] = (0, 0, 0)
    formats: dict[str, int]
    modes: dict[str, int]
    duplicates: int
    near_duplicates: int
    alike: tuple[tuple[str, str], ...]
    labels: dict[str, int]
    tags: dict[str, int]
    untagged: int
    tags_without_image: int
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def survey(
    folder: Path, *, sheet: Path | None, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Survey:
    """Look at every image of `folder`, and draw some of them on one sheet.

    Args:
        folder: of images, or a prepared dataset.
        sheet: PNG to write the contact sheet to; None for none. It is not written when there is no image.
        workers: threads; None means one per core that this process may use.
        progress: called with (files done, files in all); never for a dataset.

    Raises:
        UserError: the folder is missing, cannot be read or is an unfinished dataset; the sheet cannot be written.
    """
    require_folder(folder)
    if sheet is not None and sheet.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"the contact sheet {sheet} would lie inside {folder}, among the images: name another place")
    manifest = find_manifest(folder)
    if manifest is None:
        tags, unmatched, notes = _tags(folder)
        rows = mark_duplicates(_examine(folder, TagTable({}, tags, ()), workers, progress))
        tags_without_image = unmatched([row.path for row in rows])
        bad = Counter(row.reason for row in rows if row.reason in _BAD)
        files = len(rows)
    else:
        rows, notes = mark_duplicates(list(read_dataset(folder))), []
        tags_without_image, bad, files = 0, Counter(manifest.dropped), manifest.files
    good = [row for row in rows if row.reason not in _BAD]
    alike = [row for row in good if row.reason]
    counts = Counter(tag for row in good for tag in row.tags)
    found = Survey(
        folder=str(folder),
        prepared=manifest is not None,
        files=files,
        images=len(good),
        bad=dict(sorted(bad.items())),
        examples=_examples(rows),
        widths=_spread([row.width for row in good]),
        heights=_spread([row.height for row in good]),
        formats=_counts(Counter(row.format for row in good)),
        modes=_counts(Counter(row.mode for row in good)),
        duplicates=sum(row.reason == DropReason.DUPLICATE for row in alike),
        near_duplicates=sum(row.reason == DropReason.NEAR_DUPLICATE for row in alike),
        alike=tuple((row.path, row.detail) for row in alike[:EXAMPLES]),
        labels=_counts(Counter(row.label for row in good if row.label)),
        tags=_counts(counts),
        untagged=sum(not row.tags for row in good) if counts else 0,
        tags_without_image=tags_without_image,
        notes=tuple(notes),
    )
    if sheet is not None and good:
        _draw(folder, found, good, sheet)
    return found


_BAD = frozenset(map(str, SkipReason))


def _examine(
    folder: Path, tags: TagTable, workers: int | None, progress: Callable[[int, int], None] | None
) -> list[Row]:
    files = find_files(folder)
    texts = dict.fromkeys(tags.tags, "")
    examiner = Examiner(folder, PrepareOptions(size=64), None, replace(tags, texts=texts))

    def look(file: str) -> Row:
        return replace(examiner.examine(file, hash_file(folder / file).hex()), image=None)

    rows = []
    with ThreadPoolExecutor(workers or cores()) as pool:
        for row in in_order(pool, look, files):
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(files))
    return rows


def _tags(folder: Path) -> tuple[dict[str, tuple[str, ...]], Callable[[list[str]], int], list[str]]:
    """Tags of all CSVs at the top, how to count the ids without a file, and what could not be read."""
    tags: dict[str, tuple[str, ...]] = {}
    notes = []
    for name in find_sidecars(folder):
        try:
            tags |= read_tags(folder / name)
            notes.append(f"tags from {name}")
        except UserError as error:
            notes.append(str(error))
    return tags, lambda files: len(tags.keys() - {find_id(file, tags) for file in files}), notes


def _examples(rows: list[Row]) -> tuple[SkippedFile, ...]:
    shown: Counter[str] = Counter()
    examples = []
    for row in rows:
        if row.reason in _BAD and shown[row.reason] < EXAMPLES:
            shown[row.reason] += 1
            examples.append(SkippedFile(path=row.path, reason=row.reason, detail=row.detail))
    return tuple(examples)


def _spread(values: list[int]) -> tuple[float, float, float]:
    return (min(values), median(values), max(values)) if values else (0, 0, 0)


def _counts(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _draw(folder: Path, found: Survey, good: list[Row], sheet: Path) -> None:
    """Evenly spaced images, in order."""
    chosen = {good[i * len(good) // min(TILES, len(good))].path for i in range(min(TILES, len(good)))}
    if found.prepared:
        pictures = [(path, thumbnail(image)) for path, image in read_images(folder) if path in chosen]
    else:
        pictures = [(row.path, thumbnail(folder / row.path)) for row in good if row.path in chosen]
    what = f"{found.images:,} images" + (", prepared" if found.prepared else f" of {found.files:,} files")
    drawn = contact_sheet(folder.resolve().name, what, [(name, tile) for name, tile in pictures if tile is not None])
    try:
        drawn.save(sheet, "PNG")
    except OSError as error:
        raise UserError(f"cannot write the contact sheet {sheet}: {error.strerror or error}") from error
