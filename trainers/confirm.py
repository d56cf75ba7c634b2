"""Measures the best checkpoint of a finished run again, on latents that had no part in choosing it.

The lowest of several noisy measurements is too low on average (the winner's curse). A trial's objective is such a
minimum, and the best trial's objective is the minimum of those.
"""

from pathlib import Path

from trainers.assets import Assets
from trainers.checkpoint import BEST, load_checkpoint
from trainers.config import TrainConfig
from trainers.distributed import all_or_none
from trainers.engine.precision import set_up_kernels
from trainers.families import build_family
from trainers.measuring import measure
from trainers.randomness import GlobalRandom
from trainers.run_report import Measurement


def confirm(assets: Assets, run_dir: Path, seeds: int) -> list[Measurement]:
    """Measure ``run_dir/best.pt`` on ``fid.n_fake`` samples, once for each of `seeds` sets of fresh latents.

    Every rank calls this with the same arguments and gets the same values. All sets differ from the one that training
    used. A family without latents (which translates the same images every time) is measured once, whatever `seeds` is,
    because another measurement would give the same value.

    Args:
        assets: the process's warm images, extractor and statistics.
        run_dir: directory of the run, on storage that all ranks see.
        seeds: how many sets, at least 1; set 1 of a run is the same at every call.

    Raises:
        UserError: the checkpoint is missing or damaged, or there are no images.
    """
    with all_or_none():
        checkpoint = load_checkpoint(run_dir / BEST, assets.device)
        config = TrainConfig.build(checkpoint["config"])
        set_up_kernels(config)
        family = build_family(config, assets.device, GlobalRandom(config.seed, assets.device))
        family.load_state_dict(checkpoint["family"])
        sets = range(1, (1 if family.directions else seeds) + 1)
        targets = [family.fid_targets(assets, f"confirm {number}") for number in sets]
    epoch = checkpoint["progress"]["epoch"]
    return [measure(config, target, assets, config.fid.n_fake, epoch=epoch) for target in targets]
