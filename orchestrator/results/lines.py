"""Append-only files of one JSON object per line: how they are written and read, so that a crash costs no whole line."""

import fcntl
import json
import os
import shlex
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Any

from trainers.errors import UserError

_BLOCK = 1 << 16  # bytes in which the last line break is looked for, from the end


class LineWriter:
    """Appends lines; several processes of one host may append to the same file.

    A line is written by one call under a lock, so a killed process leaves whole lines. What a full disk or a power
    failure has torn off at the end is cut away before the next line is written.

    Args:
        path: made where it does not exist; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, value: dict[str, Any], *, sync: bool = False) -> None:
        """Add one line; the operating system has it when this returns.

        Args:
            value: what the line says.
            sync: the disk has it too.

        Raises:
            OSError: it cannot be written; then nothing of it is in the file.
        """
        data = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            size = _cut_torn_line(self._file)
            try:
                written = os.write(self._file, data)
                if sync and written == len(data):
                    self._sync(size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self._path)) from None
            if written < len(data):
                os.ftruncate(self._file, size)
                raise OSError(ENOSPC, os.strerror(ENOSPC), str(self._path))
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _sync(self, size: int) -> None:
        try:
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def cut_torn_line(path: Path) -> None:
    """Cut away what a full disk has torn off at the end of a file of lines, to which nobody else may write."""
    if path.exists():
        with path.open("r+b") as file:
            _cut_torn_line(file.fileno())


def _cut_torn_line(file: int) -> int:
    """Returns the size that the file has then."""
    size = os.fstat(file).st_size
    if size == 0 or os.pread(file, 1, size - 1) == b"\n":
        return size
    end, found = size, -1
    while end and found < 0:
        start = max(0, end - _BLOCK)
        found = os.pread(file, end - start, start).rfind(b"\n")
        whole, end = start + found + 1, start
    os.ftruncate(file, whole)
    return whole


class LineReader:
    """Reads the lines that were added since the last call; a last line without its line break is left for later.

    Args:
        path: need not exist yet.
        offset: bytes to skip, the `offset` of an earlier reader.
        left_out: told where a line ends that is no JSON object; it is left out then. None: that is an error.

    Attributes:
        offset: bytes read so far, always after a line break.
    """

    def __init__(self, path: Path, offset: int = 0, *, left_out: Callable[[int], None] | None = None) -> None:
        self.path, self.offset, self._left_out = path, offset, left_out

    def read(self, most: int | None = None) -> list[dict[str, Any]]:
        """The new lines.

        Args:
            most: at most so many bytes, and at least one line; None: all.

        Raises:
            UserError: a whole line is no JSON object.
        """
        return [value for value, _ in self.read_with_ends(most)]

    def read_with_ends(self, most: int | None = None) -> list[tuple[dict[str, Any], int]]:
        """The new lines, each with the offset of its end; errors as in `read`."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read() if most is None else file.read(most)
                if most is not None and b"\n" not in data:
                    data += file.readline()
        except FileNotFoundError:
            return []
        lines = []
        for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                self.offset += len(line)
                lines.append((value, self.offset))
            elif self._left_out is not None:
                self.offset += len(line)
                self._left_out(self.offset)
            else:
                raise UserError(
                    f"{self.path} is damaged at byte {self.offset}: no whole record; {self.cure(self.offset)}"
                )
        return lines

    def cure(self, at: int) -> str:
        """What a person can do about a damaged line that starts at byte `at`."""
        with self.path.open("rb") as file:
            number = 1 + file.read(at).count(b"\n")
        return f"`sed -i.damaged {number}d {shlex.quote(str(self.path))}` leaves that line out, and keeps a copy"
