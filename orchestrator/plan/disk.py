"""What a sweep will take of the disk, estimated before it starts."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.plan.memory import Networks, gb
from orchestrator.plan.resources import Resources
from orchestrator.results.retention import candidates, default_keep, how_many
from orchestrator.space.rungs import mean_epochs
from orchestrator.space.sections import PBT, WAITING
from orchestrator.space.space import Space
from trainers.errors import UserError
from trainers.samples import SMALLEST_TILE

SWEEP_BYTES = 20_000_000  # of any sweep: MLflow's database, Ray's files, logs
RUNG_CHECKPOINTS = 2  # of a member of pbt: those of the last rungs, which others may still take over
PAUSED_CHECKPOINTS = 1  # of a trial that waits at a rung: latest; the few inside the window have a best, as those kept
OPEN_CHECKPOINTS = 4  # of a trial that runs: latest, previous, best, and the one that is being written
EPOCH_BYTES = 6000  # a line of the history, 800, and its 20 numbers in MLflow's database
GRID_TILES, PIXEL_BYTES = 64, 2  # of a grid; a PNG of photographs has 1.5 to 2.5 bytes per pixel
GRID_COPIES = 2  # the trial's own, and MLflow's


@dataclass(frozen=True, kw_only=True)
class DiskForecast:
    """Bytes that a sweep will take.

    Attributes:
        running: checkpoints of the trials that run at once.
        waiting: checkpoints of trials that wait at rungs: all the others, before the last of them has started.
        kept: ``best.pt`` of the trials that keep it, and of settings that are trained again; ``latest.pt`` of trials
            that a rule ends, where they are not among those that wait.
        rest: grids, histories and tracking.
    """

    running: int
    kept: int
    rest: int
    waiting: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.checkpoints + self.rest

    @property
    def checkpoints(self) -> int:
        """Of which checkpoints."""
        return self.running + self.waiting + self.kept


def forecast_disk(space: Space, networks: Networks, resources: Resources, keep: str | None = None) -> DiskForecast:
    """What a sweep will take.

    Args:
        space: trials, epochs, and how its scheduler cuts; what rules end earlier is not known.
        networks: the largest of a trial.
        resources: the gangs.
        keep: `--keep-checkpoints`; None: the default.
    """
    top = space.confirm.top
    most = how_many(keep or default_keep(top))
    kept = space.trials if most is None else min(space.trials, max(most, candidates(top)))
    kept += space.most_repeats  # until the best of them is known
    if space.pruning is not False and space.scheduler.name not in WAITING:  # else it counts as waiting
        kept += min(space.trials, most or space.trials)  # the ends of those that rules end
    schedule, side = space.base.schedule, max(space.base.data.image_size, SMALLEST_TILE)
    epochs = space.trials * mean_epochs(space.scheduler, schedule.epochs) + space.most_repeats * schedule.epochs
    grids = space.trials + space.most_repeats + epochs / schedule.samples_every
    pictures = grids * GRID_COPIES * GRID_TILES * PIXEL_BYTES * side**2
    run = min(resources.gangs, space.trials)
    wait = space.trials - run if space.scheduler.name in WAITING else 0
    rungs = RUNG_CHECKPOINTS * space.trials if space.scheduler.name == PBT else 0
    return DiskForecast(
        running=OPEN_CHECKPOINTS * run * networks.saved,
        waiting=(PAUSED_CHECKPOINTS * wait + rungs) * networks.saved,
        kept=kept * networks.saved,
        rest=SWEEP_BYTES + round(epochs * EPOCH_BYTES + pictures),
    )


def check_disk(forecast: DiskForecast, networks: Networks, folder: Path, keep: str | None = None) -> None:
    """Check that the disk of the sweeps holds a new sweep.

    Args:
        forecast: of the sweep.
        networks: the largest of a trial.
        folder: of the sweeps; itself or a folder above it is there.
        keep: `--keep-checkpoints` as given.

    Raises:
        UserError: it does not.
    """
    if (free := free_bytes(folder)) >= forecast.total:
        return
    fewer = ", or give --keep-checkpoints best" if forecast.kept > forecast.running and keep != "best" else ""
    raise UserError(
        f"the disk of --sweeps-dir {folder} has {gb(free)} free, this sweep needs about "
        f"{gb(forecast.total)} ({gb(forecast.checkpoints)} of checkpoints: {networks}, "
        f"{gb(networks.saved)} each): make room, or name a place on another disk{fewer}"
    )


def free_bytes(folder: Path) -> int:
    """Free bytes of a disk; the folder itself or one above it is there."""
    place = next(place for place in (folder, *folder.parents) if place.is_dir())
    free: int = psutil.disk_usage(str(place)).free
    return free
