"""The training loop: epochs of steps, then FID, samples and checkpoint where due, then a report and its answer."""

import math
import time
from pathlib import Path

import torch
import torch.distributed as dist

from trainers.assets import Assets, Images
from trainers.checkpoint import LATEST, Progress, check_same_config, keep_as_best, load_checkpoint, save_checkpoint
from trainers.config import NoiseConfig, ScheduleConfig, TrainConfig
from trainers.data import augment, to_unit_range
from trainers.distributed import all_or_none, barrier, broadcast_object, my_slice, rank, world_size
from trainers.families import STEP_METRICS, Adversarial, build_family
from trainers.metrics import measure_fid
from trainers.randomness import GlobalRandom, fixed_latents
from trainers.report import Decision, EpochReport, Outcome, Report, Verdict
from trainers.samples import GRID, save_grid


def train(config: TrainConfig, assets: Assets, run_dir: Path, report: Report) -> Outcome:
    """Train one GAN; every rank calls this with the same arguments.

    Goes on from ``run_dir/latest.pt`` where there is one. Writes ``samples/epoch_0001.png``, ``latest.pt`` and, at the
    lowest FID inside the window, ``best.pt``.

    Args:
        config: the run.
        assets: the process's warm images, extractor and statistics.
        run_dir: directory of this run, on storage that all ranks see.
        report: called on rank 0 after every epoch; its answer holds for all ranks.

    Raises:
        UserError: too few images, no such loss or network, or a checkpoint of another config.
    """
    random = GlobalRandom(config.seed, assets.device)
    with all_or_none():
        images = assets.images(config)
        assets.statistics(config)
        family = build_family(config, assets.device, random)
    progress = _resume(config, family, run_dir, assets.device)
    while progress.epoch < config.schedule.epochs:
        epoch = progress.epoch + 1
        started = time.time()
        metrics = _run_epoch(config, family, images, random, progress)
        trained = time.time()
        metrics["images_per_second"] = _images_per_epoch(config, images) / (trained - started)
        finite = all(math.isfinite(value) for value in metrics.values())
        fid = _measure(config, family, assets) if finite and fid_due(epoch, config) else None
        finite = finite and (fid is None or math.isfinite(fid))
        samples = _write_samples(config, family, run_dir, epoch) if finite else None
        if finite:
            _write_checkpoint(config, family, run_dir, progress, fid)
        answer = _ask(report, _epoch_report(progress, metrics, fid if finite else None, samples, started, trained))
        if not finite:
            return _outcome(Verdict.NONFINITE, progress, f"{_nonfinite(metrics)} not finite at epoch {epoch}")
        if answer is Decision.STOP and progress.epoch < config.schedule.epochs:
            return _outcome(Verdict.OUTRANKED, progress)
    return _outcome(Verdict.COMPLETED, progress)


def fid_due(epoch: int, config: TrainConfig) -> bool:
    """Whether FID is measured at `epoch`: every so many, and at both ends of the window."""
    ends = (config.schedule.window_first, config.schedule.epochs)
    return epoch % config.fid.every == 0 or epoch in ends


def instance_sigma(noise: NoiseConfig, schedule: ScheduleConfig, epoch: int) -> float:
    """Standard deviation of the instance noise at `epoch`; falls linearly to 0 over ``instance_decay`` of the run."""
    if noise.instance_decay is None:
        return noise.instance_sigma
    return noise.instance_sigma * max(0.0, 1 - (epoch - 1) / (noise.instance_decay * schedule.epochs))


def _run_epoch(
    config: TrainConfig, family: Adversarial, images: Images, random: GlobalRandom, progress: Progress
) -> dict[str, float]:
    """One pass over the data; the last incomplete batch is left out. Moves `progress` on."""
    random.start_epoch(progress.epoch + 1)
    batch = config.data.batch_size
    sigma = instance_sigma(config.noise, config.schedule, progress.epoch + 1)
    order = random.permutation(len(images))
    totals = torch.zeros(len(STEP_METRICS), device=family.device)
    largest = torch.zeros(len(STEP_METRICS), device=family.device)
    steps = len(images) // batch
    for step in range(steps):
        mine = order[step * batch : (step + 1) * batch][my_slice(batch)]
        real = augment(to_unit_range(images.batch(mine)), random.augmentation(batch, config.data))
        values = family.step(real, images_seen=progress.images_seen, instance_sigma=sigma)
        totals += values
        largest = torch.maximum(largest, values)
        progress.images_seen += batch
    progress.epoch += 1
    family.align_ranks()
    if world_size() > 1:
        dist.all_reduce(totals)
    metrics = dict(zip(STEP_METRICS, (totals / steps / world_size()).tolist(), strict=True))
    peaks = dict(zip(STEP_METRICS, largest.tolist(), strict=True))
    return {**metrics, "grad_norm_d_max": peaks["grad_norm_d"], "grad_norm_g_max": peaks["grad_norm_g"]}


def _images_per_epoch(config: TrainConfig, images: Images) -> int:
    return len(images) // config.data.batch_size * config.data.batch_size


def _measure(config: TrainConfig, family: Adversarial, assets: Assets) -> float:
    n = config.fid.n_fake
    sigma, dim = config.noise.latent_sigma, config.network.latent_dim
    latents = fixed_latents(n, dim, sigma, seed=config.seed, purpose="fid")
    result = measure_fid(
        assets.statistics(config),
        sample=lambda start, stop: family.generate(latents[start:stop]),
        n_fake=n,
        extractor=assets.extractor(config),
        batch_size=config.fid.batch_size,
        device=assets.device,
    )
    return result.value


def _write_samples(config: TrainConfig, family: Adversarial, run_dir: Path, epoch: int) -> str | None:
    schedule = config.schedule
    due = epoch in (1, schedule.epochs) or epoch % schedule.samples_every == 0
    if not due:
        return None
    name = f"samples/epoch_{epoch:04d}.png"
    if rank() == 0:
        sigma, dim = config.noise.latent_sigma, config.network.latent_dim
        latents = fixed_latents(GRID * GRID, dim, sigma, seed=config.seed, purpose="samples")
        save_grid(family.generate(latents), run_dir / name)
    return name


def _write_checkpoint(
    config: TrainConfig, family: Adversarial, run_dir: Path, progress: Progress, fid: float | None
) -> None:
    """Keep the best epoch of the window, and every so many epochs a state to go on from."""
    in_window = fid is not None and progress.epoch >= config.schedule.window_first
    improved = in_window and (progress.objective is None or fid < progress.objective)  # type: ignore[operator]
    if improved:
        progress.objective, progress.best_epoch = fid, progress.epoch
    if improved or progress.epoch % config.schedule.checkpoint_every == 0:
        if rank() == 0:
            run_dir.mkdir(parents=True, exist_ok=True)
            save_checkpoint(run_dir / LATEST, config, progress, family.state_dict())
            if improved:
                keep_as_best(run_dir)
        barrier()


def _resume(config: TrainConfig, family: Adversarial, run_dir: Path, device: torch.device) -> Progress:
    if not broadcast_object((run_dir / LATEST).exists()):
        return Progress()
    with all_or_none():
        checkpoint = load_checkpoint(run_dir / LATEST, device)
        check_same_config(checkpoint["config"], config)
    family.load_state_dict(checkpoint["family"])
    progress = Progress(**checkpoint["progress"])
    if rank() == 0 and progress.epoch == progress.best_epoch:
        keep_as_best(run_dir)  # a run killed right after writing latest.pt has an older best.pt, or none
    return progress


def _ask(report: Report, epoch_report: EpochReport) -> Decision:
    return broadcast_object(report(epoch_report) if rank() == 0 else None)


def _epoch_report(
    progress: Progress,
    metrics: dict[str, float],
    fid: float | None,
    samples: str | None,
    started: float,
    trained: float,
) -> EpochReport:
    return EpochReport(
        epoch=progress.epoch,
        images_seen=progress.images_seen,
        metrics=metrics,
        fid=fid,
        objective=progress.objective,
        best_epoch=progress.best_epoch,
        samples=samples,
        started=started,
        trained=trained,
        ended=time.time(),
    )


def _nonfinite(metrics: dict[str, float]) -> str:
    return ", ".join(name for name, value in metrics.items() if not math.isfinite(value)) or "FID (samples)"


def _outcome(verdict: Verdict, progress: Progress, detail: str = "") -> Outcome:
    return Outcome(
        verdict=verdict,
        epochs=progress.epoch,
        objective=progress.objective,
        best_epoch=progress.best_epoch,
        detail=detail,
    )
