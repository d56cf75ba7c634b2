"""Seconds, bytes and memory of `gan-sweep report`, on a made-up sweep with noisy sample grids.

Usage: python -m tests.benchmarks.bench_report [--trials 500] [--side 32]

The sweep is made without training: 2 of 3 trials are cut, the others have 5 grids of 64 images each. Noise packs worse
than photographs do, so the page has less room for pictures than a real sweep's. Nearest real images are not looked for.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from orchestrator.display.report.page import build_report
from tests.benchmarks.common import print_setting
from tests.orchestrator.display.report_sweeps import EPOCHS, SHOWN, sweep
from trainers.samples import save_grid


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--side", type=int, default=32, help="of an image, pixels")
    return parser


def main() -> None:
    """Make the sweep, then its page."""
    asked = parser().parse_args()
    print_setting("pillow", "plotly", "optuna")
    with tempfile.TemporaryDirectory() as name:
        definition = {**SHOWN.definition, "base": {**SHOWN.definition["base"], "data": {"image_size": asked.side}}}
        store = sweep(Path(name) / "s", asked.trials, definition=definition, grids=False)
        draw, grids = np.random.default_rng(0), 0
        for trial in store.read_trials():
            for epoch in (one for one in EPOCHS if one <= trial.epochs):
                coarse = torch.from_numpy(draw.normal(0, 0.6, (64, 3, asked.side // 4, asked.side // 4))).float()
                images = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear").clamp(-1, 1)
                save_grid(images, store.trials_dir / trial.trial_id / "samples" / f"epoch_{epoch:04d}.png", 8)
                grids += 1
        started = time.perf_counter()
        report = build_report([store], nearest_images=False)
        seconds = time.perf_counter() - started
    print(f"{asked.trials} trials, {grids} grids of 64 images of {asked.side} px")
    print(f"page    {len(report.html.encode()) / 1e6:.1f} MB in {seconds:.1f} s")
    print(f"memory  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB at most")
    for note in report.notes:
        print(f"left out: {note}")


if __name__ == "__main__":
    main()
