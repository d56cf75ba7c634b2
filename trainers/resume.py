"""Where a run goes on: from the newest whole checkpoint of its directory."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainers.checkpoint import (
    LATEST,
    PREVIOUS,
    DamagedCheckpointError,
    Progress,
    check_same_config,
    keep_as_best,
    load_checkpoint,
    remove_parts,
    restore_latest,
)
from trainers.config import TrainConfig
from trainers.distributed import all_or_none, broadcast_object, rank, same_everywhere
from trainers.families import Family
from trainers.run_report import EpochReport

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """The newest whole checkpoint of a run.

    Attributes:
        name: of its file.
        content: as `load_checkpoint` gives it.
    """

    name: str
    content: dict[str, Any]


def find_checkpoint(config: TrainConfig, run_dir: Path, device: torch.device) -> Found | None:
    """Load the newest whole checkpoint, on every rank the same one; None: the run starts anew.

    A damaged ``latest.pt`` falls back to ``previous.pt``, and where that is damaged too the run starts anew; a warning
    names file and cause.

    Args:
        config: the run.
        run_dir: the run's directory, on storage that all ranks see.
        device: where the run trains.

    Raises:
        UserError: a whole file that is no checkpoint, or one of another config.
    """
    name, checkpoint = None, None
    with all_or_none():
        if rank() == 0:
            remove_parts(run_dir)
            name, checkpoint = _newest_whole(run_dir, device)
    name = broadcast_object(name)
    if name is None:
        return None
    with all_or_none():
        if checkpoint is None:  # not rank 0, which has loaded it to see whether it is whole
            checkpoint = load_checkpoint(run_dir / name, device)
        check_same_config(checkpoint["config"], config)
    return Found(name, checkpoint)


def resume(
    found: Found, family: Family, run_dir: Path, device: torch.device, progress: Progress
) -> tuple[EpochReport | None, dict[str, Any] | None]:
    """Let `family` and `progress` go on from a checkpoint; every rank calls this.

    Args:
        found: from `find_checkpoint`.
        family: its networks and optimisers, as `build_family` made them, `blank` or not.
        run_dir: the run's directory, on storage that all ranks see.
        device: where the run trains.
        progress: of a run that has not begun.

    Returns:
        The report of the run's last epoch, which nobody may have got: the run may have died between the checkpoint and
        the report. None in the first epoch, and from checkpoints of older versions. And where the run is inside an
        epoch; None between epochs.

    Raises:
        RuntimeError: the ranks see different files.
    """
    checkpoint = found.content
    family.load_state_dict(checkpoint["family"])
    vars(progress).update(vars(Progress(**checkpoint["progress"])))
    _check_same_everywhere(progress, device)
    if rank() == 0:
        if found.name == PREVIOUS:
            restore_latest(run_dir)
        own = (
            checkpoint.get("report") is not None or not progress.inherited
        )  # else it is another run's, just taken over
        if own and progress.epoch == progress.best_epoch and progress.step == 0:
            keep_as_best(run_dir)  # a run killed right after writing latest.pt has an older best.pt, or none
    report = checkpoint.get("report")
    return None if report is None else EpochReport.from_json(report), checkpoint.get("inside")


def _check_same_everywhere(progress: Progress, device: torch.device) -> None:
    """Check that no rank has read another file under the same name, such as an older copy on its own node.

    Raises:
        RuntimeError: on every rank; the storage may show the same to all a moment later.
    """
    if not same_everywhere([progress.epoch, progress.step], device):
        raise RuntimeError(
            f"the ranks see different checkpoints; this one that of epoch {progress.epoch}, step {progress.step}"
        )


def _newest_whole(run_dir: Path, device: torch.device) -> tuple[str | None, dict[str, Any] | None]:
    """Name and content of the newest checkpoint that is whole; None and None without one."""
    there = [name for name in (LATEST, PREVIOUS) if (run_dir / name).exists()]
    for place, name in enumerate(there, start=1):
        try:
            return name, load_checkpoint(run_dir / name, device)
        except DamagedCheckpointError as error:
            left = there[place:]
            log.warning("%s; %s", error, f"going on from {left[0]}" if left else "training from the start")
    return None, None
