"""What may be typed as a value: texts, paths and numbers, each refused in one line before anything is read or made.

Every option and argument of every command has one of these types (tests/contracts/test_wrong_input.py), so that the
check of a new one is written already. Importing this must stay cheap: ``--help`` does.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from orchestrator.results.argument import parted_uri
from orchestrator.results.places import images_root, sweeps_root
from trainers.errors import UserError, shortened
from trainers.masking import masked
from trainers.remote import is_uri, local_copy

# A path's part may have 255 bytes on all file systems in use, and a whole path 4096.
_LONGEST_PART, _LONGEST_PATH = 255, 4096


class Text(click.ParamType):
    """Any text that is not empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if not text.strip():
            raise UserError(f"{_named(param)} {text!r}: must not be empty")
        if "\0" in text:
            raise UserError(f"{_named(param)} {shortened(text)}: must not contain the character NUL")
        return self.checked(text, _named(param))

    def checked(self, text: str, named: str) -> Any:
        """The value that the command gets.

        Args:
            text: not empty.
            named: the option or argument, for errors.

        Raises:
            UserError: it cannot be used.
        """
        return text


class NameOrPath(Text):
    """A name, or the path of a file or folder; the command itself looks for it."""

    def checked(self, text: str, named: str) -> Any:
        status, why = _look(Path(text))
        if why not in (None, _MISSING):
            raise UserError(f"{named}: {_plain(text)} cannot be read: {why}")
        if status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise UserError(f"{named}: {_plain(text)} is neither a file nor a folder: it is {_kind(status)}")
        return text


class SweepToFind(NameOrPath):
    """A sweep's name, its directory, or its URI; then the value is the path of its local copy."""

    def checked(self, text: str, named: str) -> Any:
        if not is_uri(text):
            return super().checked(text, named)
        folder, name = parted_uri(text)
        if not is_uri(folder):
            raise UserError(
                f"{named}: {masked(_plain(text))}: names no sweep in a folder, such as s3://BUCKET/sweeps/NAME"
            )
        return str(_local_copy(folder, sweeps_root, named) / name)


class SweepsFolder(Text):
    """The folder of the sweeps, which need not be there, or its URI; then the value is its local copy."""

    name = "folder"

    def checked(self, text: str, named: str) -> Any:
        if is_uri(text):
            return _local_copy(text, sweeps_root, named)
        return FolderToMake().checked(text, named)


class FolderToRead(Text):
    """A folder that is there, or the URI of one; then the value is its local copy, which may be fetched yet."""

    name = "folder"

    def checked(self, text: str, named: str) -> Any:
        if is_uri(text):
            return _local_copy(text, images_root, named)
        return _there(text, named, "folder", stat.S_ISDIR, os.R_OK | os.X_OK)


class FileToRead(Text):
    """A regular file that is there: opening a pipe could wait for ever."""

    name = "file"

    def checked(self, text: str, named: str) -> Any:
        return _there(text, named, "file", stat.S_ISREG, os.R_OK)


class FolderToMake(Text):
    """A folder that is there or can be made. Whether it can be written is asked by the commands that write."""

    name = "folder"

    def checked(self, text: str, named: str) -> Any:
        path = Path(text)
        if "://" in text:  # or a folder of that name would be made here
            raise UserError(f"{named}: {masked(_plain(text))} is a URI: give a folder, such as one of a mounted share")
        _, why = _look_for(path, stat.S_ISDIR)
        if why not in (None, _MISSING):
            raise UserError(f"{named}: {_plain(text)} is not a folder: {why}")
        return path


class FileToWrite(Text):
    """A file that is there or can be made, in a folder that is there."""

    name = "file"

    def checked(self, text: str, named: str) -> Any:
        path = Path(text)
        status, why = _look_for(path, stat.S_ISREG)
        if why == _MISSING:
            why = None if path.parent.is_dir() else f"there is no folder {path.parent}"
        if why is None and not os.access(path if status is not None else path.parent, os.W_OK):
            why = "no permission"
        if why is not None:
            raise UserError(f"{named}: {_plain(text)} cannot be written: {why}")
        return path


def _local_copy(uri: str, root: Callable[[], Path], named: str) -> Path:
    try:
        return local_copy(uri, root())
    except UserError as error:
        raise UserError(f"{named}: {error}") from None


class Number(click.ParamType):
    """A finite number within limits.

    Args:
        least: the smallest that is allowed.
        most: the largest that is allowed. There always is one: a number that no machine can serve is a slip.
        above: whether `least` itself is too small.
    """

    name = "number"
    whole = False

    def __init__(self, least: float, most: float, *, above: bool = False) -> None:
        self.least, self.most, self.above = least, most, above

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        given = f"{_named(param)} {shortened(str(value))}"
        try:
            number = int(value) if self.whole else float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"{given}: give a {'whole number, such as 4' if self.whole else 'number, such as 2.5'}")
        if number < self.least or (self.above and number == self.least):
            raise UserError(f"{given}: must be {'greater than' if self.above else 'at least'} {self.least:g}")
        if number > self.most:
            raise UserError(f"{given}: must be at most {self.most:.12g}")
        return number


class Whole(Number):
    """A whole number within limits."""

    name = "integer"
    whole = True


_MISSING = "it does not exist"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def _named(param: click.Parameter | None) -> str:
    """How people know a parameter: ``--data``, or ``DIR_A``."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return "value" if param is None else param.make_metavar(click.Context(click.Command(None))).rstrip(".")


def _plain(text: str) -> str:
    """A path as it was typed, or quoted and shortened where that would not be readable."""
    return text if text.isprintable() and text == text.strip() and len(text) <= 80 else shortened(text)


def _there(text: str, named: str, wanted: str, is_wanted: Callable[[int], bool], access: int) -> Path:
    path = Path(text)
    _, why = _look_for(path, is_wanted)
    if why is None and not os.access(path, access):
        why = "no permission to read it"
    if why is not None:
        raise UserError(f"{named}: {_plain(text)} is not a {wanted}: {why}{_nearest(path, why)}")
    return path


def _look(path: Path) -> tuple[os.stat_result | None, str | None]:
    """What is at `path`, or why nothing can be there."""
    long = max(len(os.fsencode(part)) for part in (*path.parts, ".")) > _LONGEST_PART
    if long or len(os.fsencode(path)) > _LONGEST_PATH:
        return None, f"its name is too long (a part may have {_LONGEST_PART} bytes)"
    try:
        return path.stat(), None
    except FileNotFoundError:
        return None, "it is a link to nothing" if path.is_symlink() else _MISSING
    except OSError as error:  # a file among the folders, no permission
        loop = error.errno == errno.ELOOP
        return None, "it is a link that leads back to itself" if loop else (error.strerror or str(error)).lower()


def _look_for(path: Path, is_wanted: Callable[[int], bool]) -> tuple[os.stat_result | None, str | None]:
    """As `_look`; what is there must also be of the wanted kind."""
    status, why = _look(path)
    if status is not None and not is_wanted(status.st_mode):
        why = f"it is {_kind(status)}"
    return status, why


def _kind(status: os.stat_result) -> str:
    return next((name for matches, name in _KINDS if matches(status.st_mode)), "a device")


def _nearest(path: Path, why: str) -> str:
    """``"; did you mean photos?"`` where a name beside a missing one is close to it."""
    if why != _MISSING or not os.access(path.parent, os.R_OK) or not path.parent.is_dir():
        return ""
    close = get_close_matches(path.name, os.listdir(path.parent), n=1)
    return f"; did you mean {path.with_name(close[0])}?" if close else ""
