"""Epochs of a remote sweep that ranks of other nodes have written to their own disks: the broker writes them here too.

So log and histories here are as complete as on shared storage, whenever the driver looks.
"""

from pathlib import Path

from orchestrator.results.lines import LineReader, LineWriter
from orchestrator.results.places import history_file
from trainers.remote import uri_of
from trainers.run_report import EpochReport


class EpochsElsewhere:
    """Keeps what is reported of epochs where no rank of this node has written it already.

    Args:
        directory: of the sweep; for one that is at home here, on storage that all nodes share, nothing is done.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory if uri_of(directory.parent) is not None else None
        self._readers: dict[str, LineReader] = {}
        self._newest: dict[str, int] = {}

    def keep(self, trial_id: str, report: EpochReport) -> None:
        """Write an epoch of a trial to its history here, unless it is there.

        Raises:
            OSError: it cannot be written.
        """
        if self._directory is None:
            return
        file = history_file(self._directory, trial_id)
        reader = self._readers.setdefault(trial_id, LineReader(file))
        for line in reader.read():
            self._newest[trial_id] = max(self._newest.get(trial_id, 0), line["epoch"])
        if report.epoch <= self._newest.get(trial_id, 0):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = LineWriter(file)
        try:
            lines.append(report.to_json())
        finally:
            lines.close()
