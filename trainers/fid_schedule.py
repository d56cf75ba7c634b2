"""When FID is measured, and on how many fakes. Imports no torch, since plans are printed without it.

Few fakes inflate FID, by an amount that also depends on the generator (Chong and Forsyth 2020, arXiv:1911.07023), and
make it noisier. Early trials differ so much that such values still tell them apart, so measurements before the window
may use fewer fakes: the same number for all trials at an epoch. Inside the window the number is always `n_fake`.
"""

import math

from trainers.config import TrainConfig


def fid_due(epoch: int, config: TrainConfig) -> bool:
    """Whether FID is measured at `epoch`: every ``fid.every`` epochs, at ``fid.at``, and at both ends of the window."""
    ends = (config.schedule.window_first, config.schedule.epochs)
    return epoch % config.fid.every == 0 or epoch in ends or epoch in config.fid.at


def fakes_at(epoch: int, config: TrainConfig) -> int:
    """Number of fakes of a measurement at `epoch`.

    It is ``fid.n_fake_first`` at first, doubles at equal distances before the window, and is ``fid.n_fake`` inside it:
    from 1000 to 10,000 it is 1000, 2000, 4000 and 8000 over 30, 30, 30 and 10% of the epochs before the window. It
    depends only on the epoch, the window's start and ``fid.*``, in which no two trials of a sweep may differ: at the
    same epoch all trials have the same protocol.
    """
    first, full = config.fid.n_fake_first, config.fid.n_fake
    if first is None or epoch >= config.schedule.window_first:
        return full
    doublings = math.log2(full / first) * epoch / config.schedule.window_first
    return first << math.floor(doublings)


def first_measurement(config: TrainConfig) -> tuple[int, int]:
    """The first epoch at which FID is measured, and the number of fakes there."""
    epoch = next(epoch for epoch in range(1, config.schedule.epochs + 1) if fid_due(epoch, config))
    return epoch, fakes_at(epoch, config)
