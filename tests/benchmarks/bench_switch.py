"""Seconds that a gang takes to leave a trial that waits at its rung, and to go on with one that was promoted.

Usage: python -m tests.benchmarks.bench_switch [--space NAME] [--times 5] [--width W] [--size S]

Leaving is a checkpoint written whole and synced. Going on is the checkpoint read and its sums checked, networks built,
weights and moments loaded. Both at the space's full size unless --width and --size shrink it, with one rank, and a file
that the machine has just written (and so has in memory). Also the best of all times: others may use the same cores.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from orchestrator.space.load import load_space
from tests.benchmarks.common import print_setting
from trainers.checkpoint import LATEST, Progress, save_latest
from trainers.config import TrainConfig
from trainers.families import Family, build_family
from trainers.randomness import GlobalRandom
from trainers.resume import find_checkpoint, resume


def with_moments(config: TrainConfig, device: torch.device) -> Family:
    """The networks of `config`, with moments in their optimisers as after a step."""
    family = build_family(config, device, GlobalRandom(config.seed, device))
    for descent in (family.descent_g, family.descent_d):
        for group in descent.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        descent.optimizer.step()
        descent.optimizer.zero_grad(set_to_none=True)
    return family


def switch(config: TrainConfig, device: torch.device, folder: Path) -> tuple[float, float]:
    """Seconds to leave, and seconds to go on."""
    family = with_moments(config, device)
    started = time.perf_counter()
    save_latest(folder, config, Progress(epoch=1), family.state_dict(), None)
    left = time.perf_counter()
    del family
    begun = time.perf_counter()
    found, progress = find_checkpoint(config, folder, device), Progress()
    assert found is not None
    resume(found, build_family(config, device, GlobalRandom(config.seed, device), blank=True), folder, device, progress)
    assert progress.epoch == 1
    return left - started, time.perf_counter() - begun


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="ralsgan_motorbike")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--width", type=int, help="network.base_width; default: the space's")
    parser.add_argument("--size", type=int, help="data.image_size; default: the space's")
    return parser


def main() -> None:
    """Switch so many times, and print medians."""
    asked = parser().parse_args()
    smaller = {"network.base_width": asked.width, "data.image_size": asked.size}
    config = load_space(asked.space).resolve({name: value for name, value in smaller.items() if value is not None})
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as scratch:
        both = [switch(config, device, Path(scratch)) for _ in range(asked.times)]
        size = (Path(scratch) / LATEST).stat().st_size / 1e6
    leaving, going_on = (statistics.median(seconds) for seconds in zip(*both, strict=True))
    print_setting("torch")
    print(f"{asked.space}, {config.data.image_size} px, checkpoints of {size:.0f} MB, median of {asked.times}")
    best = min(seconds for _, seconds in both)
    print(f"leaving {leaving:.2f} s, going on {going_on:.2f} s, at best {best:.2f} s (aim: below 0.3)")


if __name__ == "__main__":
    main()
