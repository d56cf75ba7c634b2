"""What a measurement on few fakes costs and says, against one on the full number, and what racing saves of a trial.

Usage: python -m tests.benchmarks.bench_racing [--fakes 1000 2000 4000 10000] [--seeds 3] [--epochs 16]
       [--images 512] [--space ralsgan_motorbike]

Trains the space's demo, then measures its best checkpoint on each number of fakes, with several sets of latents.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import torch

from orchestrator.space.demo import DEMO_IMAGES, demo_space
from orchestrator.space.load import load_space
from orchestrator.space.overrides import apply_settings
from tests.benchmarks.common import print_setting
from trainers.assets import Assets
from trainers.checkpoint import BEST, load_checkpoint
from trainers.config import TrainConfig
from trainers.data import draw_synthetic
from trainers.families import Family, build_family
from trainers.fid_schedule import fakes_at, fid_due
from trainers.loop import train
from trainers.measuring import measure
from trainers.randomness import GlobalRandom
from trainers.run_report import Decision


def trained(space: str, images: int, epochs: int, n_fake: int, scratch: Path) -> tuple[TrainConfig, Assets, Family]:
    """The demo's first trial on `images` pictures after `epochs`, with latents for up to `n_fake` samples."""
    demo = apply_settings(
        demo_space(load_space(space)),
        [f"schedule.epochs={epochs}", f"schedule.window_first={epochs}", "fid.min_diversity=0"],
    )
    assert demo.synthetic is not None
    draw_synthetic(demo.synthetic, scratch / "pictures", count=images)
    assets = Assets(scratch / "pictures", scratch / "cache", torch.device("cpu"))
    train(demo.base, assets, scratch / "run", lambda report: Decision.CONTINUE)
    config = TrainConfig.build(demo.base.model_dump(), {"fid.n_fake": n_fake})
    family = build_family(config, assets.device, GlobalRandom(config.seed, assets.device))
    family.load_state_dict(load_checkpoint(scratch / "run" / BEST)["family"])
    return config, assets, family


def print_saved(space: str) -> None:
    """Fakes of a trial of the full-size space, as it is and without fewer at first."""
    config = load_space(space).base
    due = [epoch for epoch in range(1, config.schedule.epochs + 1) if fid_due(epoch, config)]
    grace = load_space(space).scheduler.grace_epochs
    for name, last in (("whole trial", config.schedule.epochs), (f"cut at epoch {grace}", grace)):
        epochs = [epoch for epoch in due if epoch <= last]
        racing, full = sum(fakes_at(epoch, config) for epoch in epochs), config.fid.n_fake * len(epochs)
        print(f"{space}, {name}: {racing} fakes instead of {full}, {full / racing:.1f} times fewer")


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fakes", type=int, nargs="+", default=[1000, 2000, 4000, 10_000])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=16, help="of the demo")
    parser.add_argument("--images", type=int, default=DEMO_IMAGES, help="that the demo draws")
    parser.add_argument("--space", default="ralsgan_motorbike")
    return parser


def main() -> None:
    """Measure, and print a line per number of fakes."""
    asked = parser().parse_args()
    print_setting("torch")
    most = max(asked.fakes)
    seconds: dict[int, list[float]] = {n: [] for n in asked.fakes}
    fids: dict[int, list[float]] = {n: [] for n in asked.fakes}
    with tempfile.TemporaryDirectory() as folder:
        config, assets, family = trained(asked.space, asked.images, asked.epochs, most, Path(folder))
        measure(config, family.fid_targets(assets), assets, 64, epoch=asked.epochs)  # the real images' statistics, once
        for seed in range(1, asked.seeds + 1):
            for n in asked.fakes:
                result = measure(config, family.fid_targets(assets, f"benchmark {seed}"), assets, n, epoch=asked.epochs)
                seconds[n].append(result.seconds)
                fids[n].append(result.fid)
    print(f"{config.fid.extractor}, {config.data.image_size} px, {asked.images} pictures, {asked.epochs} epochs")
    print(f"{asked.seeds} sets of latents, the numbers of fakes taking turns")
    longest = statistics.median(seconds[most])
    for n in asked.fakes:
        time = statistics.median(seconds[n])
        spread = statistics.stdev(fids[n]) if asked.seeds > 1 else 0.0
        print(f"n {n:>6}  {time:7.2f} s ({longest / time:4.1f} x)  FID {statistics.mean(fids[n]):8.2f} ± {spread:.2f}")
    print_saved(asked.space)


if __name__ == "__main__":
    main()
