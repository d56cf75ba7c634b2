"""Whether a folder has enough images to train on."""

from collections.abc import Iterator
from pathlib import Path

from trainers.data.cache_report import report_path
from trainers.data.reader import ImageCache
from trainers.data.source import open_source
from trainers.errors import UserError

# Fewer different images than this are a mistake, such as one file copied 40 times.
FEWEST_DISTINCT = 8


def require_images(cache: ImageCache, at_least: int) -> None:
    """Check that there are enough images for one global batch.

    Raises:
        UserError: there are fewer than `at_least`.
    """
    if len(cache) < at_least:
        raise UserError(
            f"{cache.report.source} has fewer images than one batch of {at_least}: {cache.report.summary()}; lower "
            f"data.batch_size or add images (every skipped file is listed in {report_path(cache.path)})"
        )


def require_files(source: Path, at_least: int) -> None:
    """Check before anything is decoded that a folder has enough files, and not copies of few.

    Args:
        source: as for `build_cache`.
        at_least: images of one global batch.

    Raises:
        UserError: there are fewer files, or the first of FEWEST_DISTINCT different contents are all that there are.
    """
    images = open_source(source)
    if images.total < at_least:
        found = f"{images.total} files" if images.total else "the folder is empty"
        raise UserError(
            f"{source} has fewer images than one batch of {at_least}: {found}; lower data.batch_size or add images"
        )
    _require_distinct(source, images.contents(), images.total)


def require_distinct(cache: ImageCache) -> None:
    """Check that the decoded images are not copies of few: FID compares spreads, and copies have none.

    Raises:
        UserError: fewer than FEWEST_DISTINCT of them differ.
    """
    pixels = (image.tobytes() for batch in cache.batches(64) for image in batch.numpy())
    _require_distinct(Path(cache.report.source), pixels, len(cache))


def _require_distinct(source: Path, contents: Iterator[bytes], total: int) -> None:
    seen: set[bytes] = set()
    for content in contents:
        seen.add(content)
        if len(seen) == FEWEST_DISTINCT:
            return
    if total >= FEWEST_DISTINCT or len(seen) == 1 < total:
        raise UserError(
            f"the {total} images in {source} are copies of {len(seen)}: FID compares how images vary, which needs at "
            f"least {FEWEST_DISTINCT} different ones"
        )
