"""The training loop. After each epoch come FID, samples and a checkpoint where due, then a report that may stop it."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainers.assets import Assets
from trainers.checkpoint import Progress
from trainers.checkpoint_times import CheckpointTimes
from trainers.checkpoint_writer import CheckpointWriter
from trainers.config import TrainConfig
from trainers.device_memory import forget_peak, is_out_of_memory, out_of_memory
from trainers.distributed import all_or_none, any_rank, broadcast_object, rank, world_size
from trainers.engine.precision import set_up_kernels
from trainers.epoch import Inside, run_epoch
from trainers.families import Family, build_family
from trainers.fid_schedule import fakes_at, fid_due
from trainers.initial import start_from_checkpoint
from trainers.measuring import measure
from trainers.metric_names import lower_better
from trainers.randomness import GlobalRandom
from trainers.resume import find_checkpoint, resume
from trainers.run_report import Decision, EpochReport, Measurement, OutOfMemoryError, Report, RunEnd, RunOutcome
from trainers.samples import save_grid

NO_OBJECTIVE = "no objective, since its fakes hardly vary (below fid.min_diversity)"


def never() -> bool:
    """Nobody asks this process to leave."""
    return False


def train(
    config: TrainConfig,
    assets: Assets,
    run_dir: Path,
    report: Report,
    *,
    leave: Callable[[], bool] = never,
    times: CheckpointTimes | None = None,
    written: Callable[[Progress], None] = lambda _: None,
) -> RunOutcome:
    """Train one GAN; every rank calls this with the same arguments.

    Continues from ``run_dir/latest.pt`` if it exists, or ``previous.pt`` if that is damaged; without either it starts,
    with the weights of ``init.checkpoint`` where that is set. Writes sample grids such
    as ``samples/epoch_0001.png``, ``latest.pt``, the one before as ``previous.pt`` and, at the best value of
    ``fid.objective`` (by default the lowest FID) inside the window of fakes that vary, ``best.pt`` and a grid.

    Args:
        config: the run.
        assets: the process's warm images, extractor and statistics.
        run_dir: directory of this run, on storage that all ranks see.
        report: called on rank 0 after every epoch; its answer holds for all ranks. A resumed run first repeats the
            report of the epoch that it goes on from, because the one before it may have died before reporting it.
        leave: whether this process was asked to leave, such as by a spot notice; asked on every rank before the first
            epoch, about every five seconds inside one, before its FID and after it. If it is true on any rank, a
            checkpoint is written at once and all return.
        times: when a checkpoint is due by time; asked on rank 0 alone. None: a new one on the machine's clock.
        written: called on rank 0 when a checkpoint of this progress is on disk, before the report that names it.

    Raises:
        UserError: too few images, no such loss or network, or a checkpoint of another config or of other networks.
        OutOfMemoryError: on one of several ranks, whose device has too little memory. A single rank returns then.
    """
    progress = Progress()
    forget_peak(assets.device)
    try:
        return _train(config, assets, run_dir, report, leave, times or CheckpointTimes(), written, progress)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        outcome = out_of_memory(error, config, progress, assets.device)
    if world_size() > 1:
        raise OutOfMemoryError(outcome)
    return outcome


def _train(
    config: TrainConfig,
    assets: Assets,
    run_dir: Path,
    report: Report,
    leave: Callable[[], bool],
    times: CheckpointTimes,
    written: Callable[[Progress], None],
    progress: Progress,
) -> RunOutcome:
    """`train`, with `progress` known to the caller whatever happens."""
    random = GlobalRandom(config.seed, assets.device)
    set_up_kernels(config)
    found = find_checkpoint(config, run_dir, assets.device)
    with all_or_none():
        family = build_family(config, assets.device, random, blank=found is not None)
        family.images_per_epoch(assets)  # reads the images, of which there may be too few
        targets = family.fid_targets(assets)
    repeated = left_off = None
    if found is not None:
        repeated, left_off = resume(found, family, run_dir, assets.device, progress)
        found = None  # what the networks and optimisers did not take of it is freed
    newest = progress.epoch
    if progress == Progress():
        start_from_checkpoint(config, family, assets.device, progress)
    writer = CheckpointWriter(config, family, run_dir, times, newest=newest, report=repeated, written=written)

    def save_inside(state: dict[str, Any]) -> None:
        if rank() == 0:
            writer.inside_epoch(progress, state)

    inside = Inside(leave=leave, late=times.late, save=save_inside, device=assets.device)
    answer = _ask(report, repeated) if repeated is not None else Decision.CONTINUE
    leaving = any_rank(leave(), assets.device)
    while progress.epoch < config.schedule.epochs:
        if answer is Decision.STOP:
            return _outcome(RunEnd.STOPPED, progress)
        if answer is Decision.PAUSE:
            return _outcome(RunEnd.PAUSED, progress)
        if leaving:
            return _outcome(RunEnd.LEFT, progress)
        epoch = progress.epoch + 1
        started = time.time()
        due = fid_due(epoch, config)
        metrics = run_epoch(config, family, assets, random, progress, inside, left_off, measured=due)
        if metrics is None:
            return _outcome(RunEnd.LEFT, progress)
        trained, left_off = time.time(), None
        finite = all(math.isfinite(value) for value in metrics.values())
        measured = None
        if finite and due:
            measured = measure(config, targets, assets, fakes_at(epoch, config), epoch=epoch)
            if not math.isfinite(measured.fid):
                finite, metrics, measured = False, metrics | measured.metrics(), None
        samples, best = None, False
        if finite:
            best = _take_objective(measured, progress, config)
            samples = _write_samples(config, family, assets, run_dir, epoch, best=best)
        made = _epoch_report(progress, metrics, measured, samples, started, trained, writer.newest)
        leaving = any_rank(leave(), assets.device)
        if finite and rank() == 0:
            made = writer.after_epoch(made, progress, best=best, now=leaving)
        answer = _ask(report, made)
        if finite and answer is not Decision.CONTINUE and rank() == 0 and writer.newest < progress.epoch:
            writer.after_epoch(made, progress, best=False, now=True)
        if not finite:
            return _outcome(RunEnd.NONFINITE, progress, f"{_nonfinite(metrics)} not finite at epoch {epoch}")
    return _outcome(RunEnd.COMPLETED, progress, "" if progress.objective is not None else NO_OBJECTIVE)


def _take_objective(measured: Measurement | None, progress: Progress, config: TrainConfig) -> bool:
    """Make the measurement the objective where it is the window's best one of fakes that vary; returns whether."""
    if measured is None or measured.collapsed or progress.epoch < config.schedule.window_first:
        return False
    if not math.isfinite(measured.value):  # it could not be measured, such as neighbours of too few images
        return False
    if progress.objective is not None and measured.lower >= lower_better(measured.objective, progress.objective):
        return False
    progress.objective, progress.best_epoch = measured.value, progress.epoch
    return True


def _write_samples(
    config: TrainConfig, family: Family, assets: Assets, run_dir: Path, epoch: int, *, best: bool
) -> str | None:
    schedule = config.schedule
    due = epoch in (1, schedule.epochs) or epoch % schedule.samples_every == 0
    if not due and not best:
        return None
    name = f"samples/epoch_{epoch:04d}.png"
    if rank() == 0:
        images, columns = family.sample_grid(assets)
        save_grid(images, run_dir / name, columns)
    return name


def _ask(report: Report, epoch_report: EpochReport) -> Decision:
    return broadcast_object(report(epoch_report) if rank() == 0 else None)


def _epoch_report(
    progress: Progress,
    metrics: dict[str, float],
    measured: Measurement | None,
    samples: str | None,
    started: float,
    trained: float,
    checkpoint: int,
) -> EpochReport:
    return EpochReport(
        epoch=progress.epoch,
        images_seen=progress.images_seen,
        metrics=metrics,
        measurement=measured,
        objective=progress.objective,
        best_epoch=progress.best_epoch,
        samples=samples,
        started=started,
        trained=trained,
        ended=time.time(),
        checkpoint=checkpoint,
    )


def _nonfinite(metrics: dict[str, float]) -> str:
    return ", ".join(name for name, value in metrics.items() if not math.isfinite(value)) or "FID (samples)"


def _outcome(end: RunEnd, progress: Progress, detail: str = "") -> RunOutcome:
    return RunOutcome(
        end=end,
        epochs=progress.epoch,
        objective=progress.objective,
        best_epoch=progress.best_epoch,
        detail=detail,
    )
