"""Reads the epochs of a trial: the lines of its ``history.jsonl``."""

import logging
from pathlib import Path

from pydantic import TypeAdapter

from orchestrator.results.lines import LineReader
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)

_CHECK = TypeAdapter(EpochReport)


class HistoryReader:
    """Reads the epochs that were added since the last call.

    A damaged line is left out, with a warning: what one epoch of one trial was locks nobody out of a sweep. What
    follows it counts, or a trial that goes on would write its epochs for nobody.

    Args:
        path: need not exist yet.
        offset: bytes to skip, the `offset` of an earlier reader.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._lines = LineReader(path, offset, left_out=self._warn)

    @property
    def offset(self) -> int:
        """Bytes read so far, always after a line break."""
        return self._lines.offset

    def read(self) -> list[tuple[EpochReport, int]]:
        """The new epochs, each with the offset of its line's end."""
        found = []
        for line, end in self._lines.read_with_ends():
            try:
                report = EpochReport.from_json(line)
                measured = report.measurement and vars(report.measurement)
                found.append((_CHECK.validate_python({**vars(report), "measurement": measured}), end))
            except (KeyError, TypeError, ValueError, AttributeError):
                self._warn(end)
        return found

    def _warn(self, end: int) -> None:
        log.warning("%s is damaged before byte %d: that epoch is left out", self.path, end)
