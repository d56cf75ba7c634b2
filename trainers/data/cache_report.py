"""The report of a cache: how many files gave an image, and why the others did not."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SkippedFile:
    """A file that gave no image."""

    path: str  # relative to the source folder
    reason: str  # a trainers.data.decode.SkipReason
    detail: str


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """How one cache was built; lies next to it as ``<digest>.report.json``."""

    source: str  # the folder, as it was named
    digest: str
    image_size: int  # pixels
    fit: str
    usable: int
    skipped: tuple[SkippedFile, ...]
    cache_crc32: int  # of the whole cache file

    def summary(self) -> str:
        """One line: ``"502 usable of 506 files (1 animated, 3 truncated)"``."""
        text = f"{self.usable} usable of {self.usable + len(self.skipped)} files"
        return f"{text} ({count_reasons(self.skipped)})" if self.skipped else text

    def save(self, path: Path) -> None:
        """Write JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "BuildReport":
        """Read what `save` wrote.

        Raises:
            OSError, ValueError, TypeError, KeyError: it is not there, or is not a report.
        """
        values = json.loads(path.read_text(encoding="utf-8"))
        skipped = tuple(SkippedFile(**file) for file in values.pop("skipped"))
        return cls(**values, skipped=skipped)


def report_path(cache: Path) -> Path:
    """Where the report of the cache file `cache` lies."""
    return cache.with_suffix(".report.json")


def count_reasons(skipped: Iterable[SkippedFile]) -> str:
    """``"1 animated, 3 truncated"``."""
    return ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(file.reason for file in skipped).items()))
