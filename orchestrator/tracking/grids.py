"""Fetches sample grids of a remote sweep that ranks of other nodes have drawn, before MLflow gets them."""

import logging
from pathlib import Path

from orchestrator.results.mirror import home_of
from orchestrator.results.records import TrialRecord
from orchestrator.results.sinks import Sink
from trainers.remote import StorageError
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)


class GridFetcher(Sink):
    """To be put before the sink that reads the grids.

    Args:
        directory: of the sweep; of one that is at home here, all grids are here.
    """

    def __init__(self, directory: Path) -> None:
        self._directory, self._home = directory, home_of(directory)

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        """Fetch the epoch's grid where it is not here: its rank has pushed it before it reported the epoch."""
        if self._home is None or report.samples is None:
            return
        name = f"trials/{trial.trial_id}/{report.samples}"
        if (self._directory / name).exists():
            return
        try:
            if (there := self._home.look(name)) is not None:
                self._home.download(name, self._directory, there)
        except StorageError as error:
            log.warning("a grid of trial %s is not fetched: %s", trial.trial_id, error)
