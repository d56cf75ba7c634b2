"""Fetches pictures of a remote sweep that ranks of other nodes have written, before MLflow gets them."""

import logging
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from orchestrator.results.mirror import home_of
from orchestrator.results.records import TrialRecord
from orchestrator.results.sample_grids import LIKENESSES
from orchestrator.results.sinks import Sink
from trainers.remote import StorageError
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)


class GridFetcher(Sink):
    """Fetches sample grids; to be put before the sink that reads them.

    Args:
        directory: of the sweep; of one that is at home here, all grids are here.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Fetch the epoch's grid where it is not here: its rank has pushed it before it reported the epoch."""
        if report.samples is not None:
            fetch(self._directory, f"trials/{trial.trial_id}/{report.samples}")

    def confirmed(self, trial: TrialRecord) -> None:
        """Fetch the pictures of the real images nearest to its fakes, which its rank has pushed before it said so."""
        home, under = home_of(self._directory), f"trials/{trial.trial_id}/samples"
        if home is None:
            return
        try:
            names = [name for name in home.files(under) if fnmatch(PurePosixPath(name).name, LIKENESSES)]
        except StorageError as error:
            log.warning("the pictures in %s are not fetched: %s", under, error)
            return
        for name in names:
            fetch(self._directory, name)


def fetch(directory: Path, name: str) -> None:
    """Fetch a file of a sweep that is not here, if its home has it.

    Args:
        directory: of the sweep.
        name: of the file, below it.
    """
    home = home_of(directory)
    if home is None or (directory / name).exists():
        return
    try:
        if (there := home.look(name)) is not None:
            home.download(name, directory, there)
    except StorageError as error:
        log.warning("%s is not fetched: %s", name, error)
