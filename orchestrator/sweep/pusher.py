"""The driver's side of a remote sweep: a thread that pushes what the driver owns, and gives the heartbeat there."""

import contextlib
import logging
import shutil
import socket
import threading
import time
import uuid
from dataclasses import replace

from orchestrator.results.mirror import (
    APPENDED,
    DRIVERS,
    Mark,
    fetch_trials,
    home_of,
    push_trials,
    read_mark,
    trials_here,
    whole_lines,
)
from orchestrator.results.places import MARK_FILE
from orchestrator.results.standing import SILENT_S
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.sweep.driver_mark import DriverMark
from trainers.errors import UserError, first_line
from trainers.remote import RemoteFolder, StorageError

log = logging.getLogger(__name__)

PUSH_S = 2.0  # between pushes of what has changed
BEAT_S = 10.0  # between signs of life
SHARE = 0.1  # of the time that pushes may take, within these limits
CLOSE_S = 60.0  # at the end, storage that is away is tried again for so long


class Pusher(threading.Thread):
    """Pushes a driver's files until `close`; what fails is tried again.

    Args:
        store: of the sweep, whose lock this driver has.
        home: where it is at home.

    Attributes:
        missing: a sentence on what the storage does not have; empty where it has everything.
    """

    def __init__(self, store: ResultsStore, home: RemoteFolder) -> None:
        super().__init__(name="pusher", daemon=True)
        self.missing = ""
        self._store, self._home = store, home
        self._mark = Mark(driver=uuid.uuid4().hex, host=socket.gethostname(), process=str(DriverMark.own()))
        self._pushed: dict[str, tuple[int, int]] = {}  # size and time of change of what the storage has
        self._unneeded: list[str] = []
        self._beaten = -BEAT_S
        self._taken = ""
        self._closing = threading.Event()

    @classmethod
    def of(cls, store: ResultsStore) -> "Pusher | None":
        """The pusher of a sweep; None of one that is at home here."""
        home = home_of(store.directory)
        return None if home is None else cls(store, home)

    def check_free(self) -> None:
        """Check that no driver elsewhere has the sweep.

        Raises:
            UserError: one gave a sign of life a short time ago.
        """
        mark, there = read_mark(self._home), self._home.look(MARK_FILE)
        if mark is None or there is None or not mark.driver:
            return
        process = DriverMark.parse(mark.process)
        if mark.host == socket.gethostname() and process is not None and process.driver_is_gone():
            return
        silent = time.time() - there.changed
        if abs(silent) < SILENT_S:
            raise UserError(
                f"sweep {self._store.directory.name} is running already, on {mark.host}: its driver gave a sign of "
                f"life {max(silent, 0):.0f} s ago; it counts as dead after {SILENT_S:.0f} s"
            )

    def begin(self, state: SweepState) -> None:
        """Take the sweep over there, push what is here, and go on in the background.

        Args:
            state: how the sweep stands. Folders of trials that it does not know are removed: their numbers will be
                used again.

        Raises:
            UserError: the storage refuses.
        """
        there = {name.split("/")[1] for name in self._home.files("trials")}
        for trial in there - {*state.trials, ".."}:  # a key may hold anything
            self._home.delete_folder(f"trials/{trial}")
        for trial in set(trials_here(self._store.directory)) - state.trials.keys():
            shutil.rmtree(self._store.trials_dir / trial, ignore_errors=True)
        push_trials(self._home, self._store.directory)
        self._push()
        self.start()

    def drop(self, name: str) -> None:
        """Remove a file there, after the log says why it is not needed."""
        self._unneeded.append(name)

    def check_still_ours(self) -> None:
        """A chore of the recorder.

        Raises:
            UserError: another driver has taken the sweep over.
        """
        if self._taken:
            raise UserError(self._taken)

    def run(self) -> None:
        """Push every few seconds, less often where a push takes long, and never less often than the heartbeat."""
        pause = PUSH_S
        while not self._closing.wait(pause):
            started = time.monotonic()
            self._try()
            pause = min(max(PUSH_S, (time.monotonic() - started) / SHARE), BEAT_S)

    def close(self, patience_s: float = CLOSE_S) -> None:
        """Push what is left, of the trials too, and let go of the sweep there; `missing` says what did not work.

        Then fetch what other nodes have pushed.
        """
        self._closing.set()
        if self.is_alive():
            self.join(CLOSE_S)
        deadline = time.monotonic() + patience_s
        while not self._try(last=True) and not self._taken and time.monotonic() < deadline:
            time.sleep(PUSH_S)
        if not self.missing:
            with contextlib.suppress(StorageError):  # all of it is there
                fetch_trials(self._home, self._store.directory)

    def _try(self, *, last: bool = False) -> bool:
        try:
            self._push(last=last)
        except (UserError, OSError) as error:
            if not self.missing:
                log.warning("not pushed, tried again: %s", error)
            self.missing = f"{self._home.uri} does not have everything: {first_line(error)}"
            return False
        self.missing = ""
        return True

    def _push(self, *, last: bool = False) -> None:
        """Log and study are read in one moment; the mark, which is written last, says how much of each counts."""
        mark = read_mark(self._home) if self._pushed else None
        if mark is not None and mark.driver != self._mark.driver:
            self._taken = f"another driver, on {mark.host}, has taken the sweep over"
        self.check_still_ours()
        unneeded, self._unneeded = self._unneeded, []
        try:
            self._push_files(unneeded, last=last)
        except BaseException:
            self._unneeded = unneeded + self._unneeded
            raise

    def _push_files(self, unneeded: list[str], *, last: bool) -> None:
        if last:
            push_trials(self._home, self._store.directory)
        appended = self._read_appended()
        sizes = {name: len(content) for name, content in appended.items()}
        for name in DRIVERS:
            file = self._store.directory / name
            if not file.exists():
                continue
            status = file.stat()
            identity = (sizes[name], 0) if name in appended else (status.st_size, status.st_mtime_ns)
            if self._pushed.get(name) != identity:
                self._home.write(name, appended[name] if name in appended else file.read_bytes())
                self._pushed[name] = identity
        now = time.monotonic()
        if last or sizes != self._mark.sizes or now - self._beaten >= BEAT_S:
            mark = replace(self._mark, driver="" if last else self._mark.driver, sizes=sizes)
            self._home.write(MARK_FILE, mark.to_json())
            self._mark, self._beaten = replace(mark, driver=self._mark.driver), now
        while unneeded:
            self._home.delete(unneeded[-1])
            unneeded.pop()

    def _read_appended(self) -> dict[str, bytes]:
        """Log and study as they were in one moment: nothing was added to the log while the study was read."""
        log_file = self._store.directory / APPENDED[-1]
        while True:
            size = log_file.stat().st_size
            found = {name: whole_lines(self._store.directory / name) for name in APPENDED}
            if log_file.stat().st_size == size:
                return found


def push_all(store: ResultsStore) -> None:
    """Push what a driver that has ended could not push; nothing of a sweep that is at home here.

    Raises:
        StorageError: the storage is away still.
        UserError: another driver has taken the sweep over.
    """
    pusher = Pusher.of(store)
    if pusher is None:
        return
    pusher.check_free()
    pusher.close(0.0)
    if pusher.missing:
        raise StorageError(pusher.missing)
