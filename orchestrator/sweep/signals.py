"""What Ctrl-C, SIGTERM and a closed terminal (SIGHUP) do to a driver, from its sweep's opening to its end."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.sweep.orphans import end_all, find_own

INTERRUPTED_CODE = 130  # as a shell has it for Ctrl-C

log = logging.getLogger(__name__)

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Takes the signals over while it is entered, in the main thread; in another it does nothing.

    The first signal stops the sweep in order: while Ray starts, before any trial; while trials run, as told by
    `while_trials_run`; later there is nothing to stop, and the rest, such as Ray's shutdown, is finished.
    The second ends it at once. While trials run that is a KeyboardInterrupt. Anywhere else an exception might come
    up inside Ray's start or shutdown, which can crash: there the status is written, Ray's processes are killed, and
    the process exits with code 130.

    A process that ignores SIGHUP, such as one that `nohup` started, goes on doing so.

    Args:
        write_status: writes that the sweep was interrupted, unless its end is written already.
        say: shows a line to the user.
    """

    def __init__(self, write_status: Callable[[], None], say: Callable[[str], None]) -> None:
        self._write_status, self._say = write_status, say
        self._stop = threading.Event()
        self._stop_trials: Callable[[], None] | None = None
        self._may_raise = self._leaving = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            numbers = [number for number in _STOPS if number != signal.SIGHUP or not ignored]
            self._before = {number: signal.signal(number, self._interrupt) for number in numbers}
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Go no further after a signal; to be called where stopping is safe.

        Raises:
            KeyboardInterrupt: one has come.
        """
        if self._stop.is_set():
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def while_trials_run(self, stop_trials: Callable[[], None]) -> Iterator[None]:
        """Let the first signal call `stop_trials`, at once where it came before, and the second raise."""
        self._stop_trials, self._may_raise = stop_trials, True
        try:
            if self._stop.is_set():
                stop_trials()
            yield
        finally:
            self._stop_trials, self._may_raise = None, False

    def _interrupt(self, number: int, frame: Any) -> None:
        if not self._stop.is_set():
            self._stop.set()
            if self._stop_trials is not None:
                self._stop_trials()
            else:
                self._say("stopping: what Ray is doing is finished first (Ctrl-C again: at once)")
        elif self._may_raise:
            self._may_raise = False
            raise KeyboardInterrupt
        elif not self._leaving:
            self._leaving = True
            # In a thread: this handler may have come up amid the very write that it would wait for.
            threading.Thread(target=self._leave, name="leave", daemon=True).start()

    def _leave(self) -> None:
        try:
            self._write_status()
            end_all(find_own(), grace_s=0)
        except BaseException:
            log.exception("leaving at once")
        finally:
            os._exit(INTERRUPTED_CODE)


@contextlib.contextmanager
def keeping_handlers() -> Iterator[None]:
    """Let nobody replace a signal's handler meanwhile.

    `ray.init` sets one for SIGTERM that raises SystemExit wherever it comes up, and has no option against it. Its core
    sets another below Python's, which aborts the process: Python's are set again at the end.
    """
    set_handler = signal.signal
    signal.signal = lambda number, handler: signal.getsignal(number)  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = set_handler
        if threading.current_thread() is threading.main_thread():
            for number in _STOPS:
                signal.signal(number, signal.getsignal(number))
