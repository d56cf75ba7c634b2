"""A rank's side of a remote sweep: fetches and pushes the files of the trials that its gang trains."""

import logging
import time
from pathlib import Path

from orchestrator.results.mirror import TrialFiles, home_of
from trainers.checkpoint import LATEST
from trainers.pulse import beat
from trainers.remote import StorageError

log = logging.getLogger(__name__)

RETRY_S = 30.0  # after a failure at least
SHARE = 0.1  # of the time that attempts may take while the storage is away: the gang does not train meanwhile
PATIENCE_S = 120.0  # at the end
PAUSE_S = 2.0


class Uploads:
    """The files of trials at the sweep's home; does nothing for a sweep that is at home here.

    Args:
        directory: of the sweep.
    """

    def __init__(self, directory: Path) -> None:
        self._directory, self._home = directory, home_of(directory)
        self._files: dict[str, TrialFiles] = {}  # of trials of which not everything is pushed yet
        self._ended: set[str] = set()  # of them, those that nobody writes any more
        self._next_try = 0.0

    @property
    def first_here(self) -> bool:
        """Whether this process keeps a node's own copy of a remote sweep: the first rank of the node does."""
        if self._home is None:
            return False
        import ray.train

        return ray.train.get_context().get_local_rank() == 0

    def pull(self, trial_id: str, only: str = "") -> None:
        """Fetch what was written of a trial elsewhere; one process per node calls this, before the trial goes on.

        Storage that is away is waited for, unless what is needed is here: then the trial goes on from that.

        Args:
            trial_id: the trial.
            only: one of its files; empty: all.
        """
        if self._home is None:
            return
        needed = self._directory / "trials" / trial_id / (only or LATEST)
        while True:
            try:
                return TrialFiles(self._home, self._directory, trial_id).pull(only)
            except StorageError as error:
                log.warning("trial %s cannot be fetched: %s", trial_id, error)
                if needed.exists():
                    return None
            beat()
            time.sleep(PAUSE_S)

    def push(self, trial_id: str) -> None:
        """Push what is new of a trial. What the storage does not take is tried again with what comes next."""
        if self._home is not None:
            self._files.setdefault(trial_id, TrialFiles(self._home, self._directory, trial_id))
            self.retry()

    def finish(self, trial_id: str) -> None:
        """Push the rest of a trial that this gang leaves."""
        self._ended.add(trial_id)
        self.push(trial_id)

    def settle(self, trial_id: str) -> None:
        """Push all of a trial that another node may take now; storage that is away is waited for.

        What is pushed later would lie over what that node has written.
        """
        while trial_id in self._files:
            self._next_try = 0.0
            self.retry()
            if trial_id in self._files:
                beat()
                time.sleep(PAUSE_S)

    def retry(self) -> None:
        """Push what waits, unless that failed a moment ago."""
        if time.monotonic() < self._next_try:
            return
        started = time.monotonic()
        for trial_id, files in list(self._files.items()):
            try:
                files.push()
            except (StorageError, OSError) as error:
                log.warning("trial %s is not pushed, tried again: %s", trial_id, error)
                took = time.monotonic() - started  # seconds where nothing answers, which pyarrow tries ten times
                self._next_try = time.monotonic() + max(RETRY_S, took / SHARE)
                return
            if trial_id in self._ended:
                self._ended.remove(trial_id)
                del self._files[trial_id]

    def close(self) -> None:
        """Push what waits, before the process exits; storage that stays away is given up."""
        deadline = time.monotonic() + PATIENCE_S
        while self._files and time.monotonic() < deadline:
            self._next_try = 0.0
            self.retry()
            if self._files:
                time.sleep(PAUSE_S)
