"""How many gangs a sweep has, and the resources of each rank."""

import math
import os
from dataclasses import dataclass

from trainers.errors import UserError

# Unless --cpus-per-worker says otherwise: on two cores two ranks train slower than one already.
RANKS_PER_CPU = 2
# Of a trial's Tune actor, which mostly sleeps: a byte, as Tune refuses none at all. Had it a share of a CPU, a rank
# that needs all CPUs of its host would wait for ever.
TRAINABLE: dict[str, float] = {"memory": 1}


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Resources of the gangs.

    Attributes:
        gangs: trials that train at once.
        workers: DDP ranks per gang.
        cpus: logical CPUs per rank.
        gpus: GPUs per rank; fractions let gangs of one rank share one.
        threads: torch threads per rank.
        min_workers: DDP ranks that a gang goes on with while there are no more; None: it waits for all.
    """

    gangs: int
    workers: int
    cpus: float
    gpus: float
    threads: int
    min_workers: int | None = None

    @property
    def elastic(self) -> bool:
        """Whether a gang may have fewer ranks than `workers`."""
        return self.min_workers is not None and self.min_workers < self.workers

    @property
    def per_rank(self) -> dict[str, float]:
        """What Ray reserves for a rank, by Ray's names."""
        return {"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus > 0 else {})

    @property
    def devices(self) -> float:
        """GPUs that a trial holds while it trains, fractions included; without GPUs the number of its ranks."""
        return self.workers * (self.gpus or 1)


def choose_resources(
    *,
    concurrency: int | None,
    workers: int | None,
    cpus: float | None,
    gpus: float | None,
    available_cpus: int,
    available_gpus: int,
    local: bool,
    before: Resources | None = None,
    per_gpu: int | None = None,
) -> Resources:
    """Fill in the values that are None, and refuse what one machine cannot provide.

    Defaults: those that the sweep had `before`; of a new one, one rank per trial and one trial per GPU; without GPUs,
    one trial at a time with all threads. With `per_gpu` trials on each GPU (`orchestrator.plan.packing`) there are as
    many gangs as that makes.

    Raises:
        UserError: ranks of one trial would share a GPU; `per_gpu` is given with `gpus`, or there is no GPU; or on one
            machine (`local`) the ranks together need more CPUs or GPUs than it has; or a cluster has neither yet, and
            nothing says what a rank needs.
    """
    threads = None
    if per_gpu is not None:
        _check_packs(gpus, workers or (before.workers if before is not None else 1), available_gpus)
        gpus, concurrency = share(per_gpu), concurrency or per_gpu * available_gpus
    if before is not None:
        concurrency, workers = concurrency or before.gangs, workers or before.workers
        threads = before.threads if cpus is None else None
        cpus, gpus = cpus or before.cpus, before.gpus if gpus is None else gpus
    if not local and not available_cpus and not available_gpus and not cpus and gpus is None:
        raise UserError(
            "the Ray cluster has no CPU and no GPU for trials yet: say what each rank needs, and how many trials run "
            "at once: --gpus-per-worker 1 --concurrency 4"
        )
    workers = workers or 1
    gpus = gpus if gpus is not None else (1.0 if available_gpus else 0.0)
    if workers > 1 and 0 < gpus <= 0.5:  # more than half a GPU: no two ranks fit on one
        raise UserError(
            f"{workers} workers of a trial with {gpus:g} GPUs each would share a GPU, which NCCL refuses: give each a "
            "whole one (--gpus-per-worker 1) or each trial one worker (--workers-per-trial 1)"
        )
    by_gpu = int(available_gpus / (workers * gpus) + 1e-9) if gpus else 1
    gangs = concurrency or max(1, by_gpu)
    ranks = gangs * workers
    threads = threads or (int(cpus) if cpus and cpus >= 1 else max(1, available_cpus // ranks))
    if cpus is None:
        if local and ranks > RANKS_PER_CPU * available_cpus:
            raise UserError(
                f"{gangs} trials at once x {workers} workers are {ranks} ranks, this machine has {available_cpus} CPUs "
                f"for at most {RANKS_PER_CPU * available_cpus}: lower --concurrency or --workers-per-trial"
            )
        # A cluster's head node may have no CPUs at all, and nodes may come later.
        cpus = max(0.01, min(1.0, math.floor(100 * available_cpus / ranks) / 100)) if available_cpus else 1.0
    if local and ranks * cpus > available_cpus + 1e-9:
        raise UserError(
            f"{gangs} trials at once x {workers} workers x {cpus:g} CPUs need {ranks * cpus:g} CPUs, this machine has "
            f"{available_cpus}: lower --concurrency, --workers-per-trial or --cpus-per-worker"
        )
    if gpus > 1 and gpus != int(gpus):
        raise UserError(f"--gpus-per-worker {gpus:g}: a fraction of one GPU, or a whole number of GPUs")
    if local and ranks * gpus > available_gpus + 1e-9:
        raise UserError(
            f"{gangs} trials at once x {workers} workers x {gpus:g} GPUs need {ranks * gpus:g} GPUs, this machine has "
            f"{available_gpus}: lower --concurrency, --workers-per-trial or --gpus-per-worker"
        )
    return Resources(gangs=gangs, workers=workers, cpus=cpus, gpus=gpus, threads=threads)


def share(trials: int) -> float:
    """The share of a GPU of each of `trials`, in Ray's four decimals, rounded down: seven of 0.1429 would not fit."""
    return math.floor(10_000 / trials) / 10_000


def _check_packs(gpus: float | None, workers: int, available_gpus: int) -> None:
    if gpus is not None:
        raise UserError(f"--trials-per-gpu and --gpus-per-worker {gpus:g} both say how a GPU is shared: give one")
    if workers > 1:
        raise UserError(f"--trials-per-gpu: trials of {workers} workers need whole GPUs: --workers-per-trial 1")
    if not available_gpus:
        raise UserError("--trials-per-gpu: there is no GPU: leave it out, and trials train on CPUs")


def check_fits(resources: Resources) -> None:
    """Check that this machine has what a sweep that goes on needs, at least.

    Raises:
        UserError: it does not; the text says how many trials at once it has room for.
    """
    workers = resources.min_workers or resources.workers
    there = dict(zip(("CPUs", "GPUs"), machine(), strict=True))
    needed = {"CPUs": workers * resources.cpus, "GPUs": workers * resources.gpus}  # by one trial
    fit = min(int(there[name] / each + 1e-9) for name, each in needed.items() if each)
    cure = f"--concurrency {fit} fits" if fit else "one trial needs a larger machine, or a cluster: --address"
    for name, each in needed.items():
        if resources.gangs * each > there[name] + 1e-9:
            raise UserError(
                f"{resources.gangs} trials at once x {workers} workers x {each / workers:g} {name} need "
                f"{resources.gangs * each:g} {name}, this machine has {there[name]}: {cure}"
            )


def machine() -> tuple[int, int]:
    """Number of CPUs that this process may use, and number of GPUs."""
    import torch

    return len(os.sched_getaffinity(0)), torch.cuda.device_count()
