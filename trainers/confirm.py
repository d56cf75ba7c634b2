"""Measures the best checkpoint of a finished run again: on latents that had no part in choosing it, or on its own.

The lowest of several noisy measurements is too low on average (the winner's curse). A trial's objective is such a
minimum, and the best trial's objective is the minimum of those.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from trainers.assets import Assets
from trainers.checkpoint import BEST, load_checkpoint
from trainers.config import TrainConfig
from trainers.distributed import all_or_none
from trainers.engine.precision import set_up_kernels
from trainers.families import Family, FidTarget, build_family
from trainers.likeness_picture import draw_likenesses
from trainers.measuring import Look, measure
from trainers.metrics import RealStatistics
from trainers.randomness import GlobalRandom
from trainers.run_report import Measurement
from trainers.samples import likeness_file


class FinishedRun:
    """A run whose best checkpoint can be measured.

    Args:
        assets: the process's warm images, extractor and statistics.
        run_dir: directory of the run, on storage that all ranks see.
        weights: file of the extractor's weights; None: the run's.
        metrics: what to measure beside FID, besides ``fid.metrics`` of the run.

    Raises:
        UserError: the checkpoint is missing or damaged.

    Attributes:
        config: of the run, with `weights` and `metrics`.
        epoch: of the checkpoint.
    """

    def __init__(self, assets: Assets, run_dir: Path, weights: Path | None = None, metrics: Sequence[str] = ()) -> None:
        checkpoint = load_checkpoint(run_dir / BEST, assets.device)
        config = TrainConfig.build(checkpoint["config"])
        fid: dict[str, Any] = {"metrics": tuple(dict.fromkeys([*config.fid.metrics, *metrics]))}
        fid |= {} if weights is None else {"weights": str(weights)}
        config = config.model_copy(update={"fid": config.fid.model_copy(update=fid)})
        set_up_kernels(config)
        self.config, self.epoch = config, int(checkpoint["progress"]["epoch"])
        self._assets = assets
        self._family: Family = build_family(config, assets.device, GlobalRandom(config.seed, assets.device))
        self._family.load_state_dict(checkpoint["family"])

    def confirm(self, seeds: int, pictures: Path | None = None) -> list[Measurement]:
        """Measure it on each of `seeds` sets of fresh latents; arguments and result as of `confirm`.

        Args:
            seeds: how many sets.
            pictures: folder for the pictures that `confirm` tells of; None: none are made.
        """
        sets = range(1, (1 if self._family.directions else seeds) + 1)
        return self._measured([f"confirm {number}" for number in sets], pictures)

    def as_in_training(self) -> Measurement:
        """Measure it on the latents of its training: on the same kind of device nearly the epoch's own value."""
        return self._measured(["fid"])[0]

    def real_statistics(self) -> dict[str, RealStatistics]:
        """What its FID compares with, by the names of `Family.fid_targets`."""
        return {name: target.statistics for name, target in self._family.fid_targets(self._assets).items()}

    def _measured(self, purposes: list[str], pictures: Path | None = None) -> list[Measurement]:
        with all_or_none():
            targets = [self._family.fid_targets(self._assets, purpose) for purpose in purposes]
        n_fake = self.config.fid.n_fake
        looks: list[Look | None] = [None] * len(targets)
        if pictures is not None:
            looks[0] = partial(self._draw, pictures, targets[0])
        return [
            measure(self.config, target, self._assets, n_fake, epoch=self.epoch, look=look)
            for target, look in zip(targets, looks, strict=True)
        ]

    def _draw(self, folder: Path, targets: dict[str, FidTarget], name: str, fakes: Tensor) -> None:
        file = folder / likeness_file(name if len(targets) > 1 else "")
        draw_likenesses(file, targets[name], fakes, self._assets.extractor(self.config).protocol)


def confirm(assets: Assets, run_dir: Path, seeds: int, metrics: Sequence[str] = ()) -> list[Measurement]:
    """Measure ``run_dir/best.pt`` on ``fid.n_fake`` samples, once for each of `seeds` sets of fresh latents.

    Every rank calls this with the same arguments and gets the same values. All sets differ from the one that training
    used. A family without latents (which translates the same images every time) is measured once, whatever `seeds` is,
    because another measurement would give the same value.

    Where features are kept (`metrics`, ``fid.metrics``), ``run_dir/samples/nearest.png`` shows the fakes of the first
    set that lie nearest to training images; a translator has ``nearest_a2b.png`` and ``nearest_b2a.png``.

    Args:
        assets: the process's warm images, extractor and statistics.
        run_dir: directory of the run, on storage that all ranks see.
        seeds: how many sets, at least 1; set 1 of a run is the same at every call.
        metrics: what to measure beside FID, besides ``fid.metrics`` of the run.

    Raises:
        UserError: the checkpoint is missing or damaged, or there are no images.
    """
    with all_or_none():
        run = FinishedRun(assets, run_dir, metrics=metrics)
    return run.confirm(seeds, run_dir / "samples")
