"""A console that outlives its terminal: a write that fails must not end the sweep that it reports on."""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import IO, Any, cast

from rich.console import Console

log = logging.getLogger(__name__)


def outlives_terminal(console: Console) -> Console:
    """Let `console` drop what it can no longer write; the first time is logged. Returns it."""
    if not isinstance(console.file, _DroppingStream):
        console.file = cast(IO[str], _DroppingStream(console.file))
    return console


class _DroppingStream:
    """A text stream that a failed write turns into a silent one.

    A closed terminal raises EIO, a closed pipe EPIPE, a file on a full disk ENOSPC. (rich ends the process on EPIPE.)
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._lost = stream, False

    def write(self, text: str) -> int:
        if not self._lost:
            with self._dropping():
                return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        if not self._lost:
            with self._dropping():
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lost = True
            _silence(self._stream)
            log.warning("the screen is gone (%s): what it would show is dropped, the sweep goes on", error)


def _silence(stream: IO[str]) -> None:
    """Point its file descriptor to nothing, and standard error too where both were the same file.

    Otherwise Python fails at its exit, when it flushes what the stream still holds.
    """
    with contextlib.suppress(OSError):  # a stream in memory has no file descriptor
        lost = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        both = lost != 2 and os.path.sameopenfile(lost, 2)
        for descriptor in (lost, 2) if both else (lost,):
            os.dup2(nothing, descriptor)
        os.close(nothing)
