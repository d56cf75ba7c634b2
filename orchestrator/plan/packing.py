"""How many trials share a GPU (``--trials-per-gpu``): what a dry step has measured, and what that leaves room for."""

import math
from dataclasses import dataclass

from orchestrator.plan.memory import gb
from orchestrator.plan.resources import RANKS_PER_CPU
from trainers.dry_step import USED_SHARE, Measured
from trainers.errors import UserError, shortened

# Clients of CUDA MPS on one GPU. It also keeps Ray's shares, which have four decimals, from letting one more in.
MOST_PER_GPU = 48


@dataclass(frozen=True, kw_only=True)
class Packing:
    """The trials of one GPU.

    Attributes:
        trials: how many share it.
        measured: what one takes at its peak, and what there is.
        limit: what keeps more from being packed, where it is not the memory.
    """

    trials: int
    measured: Measured
    limit: str = ""

    def __str__(self) -> str:
        """``3 trials per GPU: 4.9 GB of 15.8 GB each at their peak``."""
        each = f"{gb(self.measured.peak)} of {gb(self.measured.room)}"
        if self.trials == 1:
            text = f"1 trial per GPU: {each} at its peak"
        else:
            text = f"{self.trials} trials per GPU: {each} each at their peak"
        return f"{text}; no more, for {self.limit}" if self.limit else text


def read_trials_per_gpu(given: str) -> int | None:
    """The number that was given; None for ``auto``.

    Raises:
        UserError: it is neither.
    """
    if given == "auto":
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 9 and 1 <= int(given) <= MOST_PER_GPU):
        raise UserError(
            f"--trials-per-gpu {shortened(given)}: give auto, or a whole number from 1 to {MOST_PER_GPU}, the most "
            "that CUDA MPS lets share one"
        )
    return int(given)


def pack(measured: Measured, asked: int | None, *, gpus: int, cpus: int, trials: int) -> Packing:
    """Check the number that was `asked` for; None: choose the most that fit and have something to do.

    Args:
        measured: by a dry step of the largest networks and the largest batch.
        asked: trials per GPU.
        gpus, cpus: of the machine or the cluster; no CPUs: not known.
        trials: of the sweep.

    Raises:
        UserError: not one fits, or not as many as were asked for.
    """
    fit = measured.fit
    numbers = f"one takes {gb(measured.peak)} at its peak, and {USED_SHARE:.0%} of {gb(measured.room)} may be used"
    if fit < 1:
        raise UserError(
            f"not one trial fits a GPU: {numbers}: lower data.batch_size, fid.batch_size or network.base_width"
        )
    if asked is not None:
        if asked > fit:
            raise UserError(f"--trials-per-gpu {asked}: {numbers}: --trials-per-gpu {fit} fits")
        return Packing(trials=asked, measured=measured)
    most = {"": fit, f"CUDA MPS lets {MOST_PER_GPU} share one": MOST_PER_GPU}
    most[f"the sweep has {trials}"] = math.ceil(trials / gpus)
    if cpus:
        most[f"there are {cpus} CPUs"] = max(1, RANKS_PER_CPU * cpus // gpus)
    limit = min(most, key=lambda reason: most[reason])
    return Packing(trials=most[limit], measured=measured, limit=limit)
