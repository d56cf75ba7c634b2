"""Writes a run's checkpoints where they are due."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainers.checkpoint import Progress, keep_as_best, save_latest
from trainers.checkpoint_times import CheckpointTimes
from trainers.config import TrainConfig
from trainers.families import Family
from trainers.run_report import EpochReport


class CheckpointWriter:
    """Decides and writes; for rank 0 alone.

    `Family.state_dict` has no collective, and rank 0 enters the next one when the files are whole: the broadcast of the
    report's answer, or that of the next steps.

    Args:
        config: the run.
        family: its networks and optimisers.
        run_dir: the run's directory.
        times: when a checkpoint is due by time.
        newest: the epoch that the run goes on from, 0 at its start.
        report: of that epoch; None at the run's start.
        written: called when the files of a checkpoint are whole; its time counts as the checkpoint's.

    Attributes:
        newest: the epoch of the newest checkpoint on disk; 0 without one.
    """

    def __init__(
        self,
        config: TrainConfig,
        family: Family,
        run_dir: Path,
        times: CheckpointTimes,
        *,
        newest: int,
        report: EpochReport | None,
        written: Callable[[Progress], None],
    ) -> None:
        self._config, self._family, self._run_dir, self._times = config, family, run_dir, times
        self._written, self._report = written, report
        self.newest = newest

    def after_epoch(self, made: EpochReport, progress: Progress, *, best: bool, now: bool) -> EpochReport:
        """Write ``latest.pt`` where it is due by epoch, by time or `now`, or the epoch is the `best`.

        Args:
            made: the epoch's report. It lies in the checkpoint, since the run may die before its report arrives: then
                the resumed run repeats it.
            progress: of the run.
            best: the epoch is the best so far: write ``best.pt`` too.
            now: write it whatever else says.

        Returns:
            The report, which names the checkpoint if there is a new one.
        """
        by_time = self._times.due()
        if not (best or now or by_time or progress.epoch % self._config.schedule.checkpoint_every == 0):
            self._report = made
            return made
        made = replace(made, checkpoint=progress.epoch)
        self._run_dir.mkdir(parents=True, exist_ok=True)
        with self._times.saving():
            save_latest(self._run_dir, self._config, progress, self._family.state_dict(), made.to_json())
            if best:
                keep_as_best(self._run_dir)
            self._written(progress)
        self._report, self.newest = made, progress.epoch
        assert self._times.cost is not None
        return replace(made, metrics={**made.metrics, "checkpoint_seconds": self._times.cost}, ended=time.time())

    def inside_epoch(self, progress: Progress, inside: dict[str, Any]) -> None:
        """Write ``latest.pt`` inside an epoch: where it is late, or the ranks leave."""
        self._run_dir.mkdir(parents=True, exist_ok=True)
        self.newest = progress.epoch  # all of it is in the file
        report = None if self._report is None else replace(self._report, checkpoint=self.newest).to_json()
        with self._times.saving():
            save_latest(self._run_dir, self._config, progress, self._family.state_dict(), report, inside)
            self._written(progress)
