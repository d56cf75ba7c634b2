"""Whether FID grows when photographs get worse: EfficientNet-Lite0 at two sizes, as it is and with lengths made equal.

Usage: python -m tests.benchmarks.bench_extractors [FOLDER ...] [--sides 64 96] [--images 256] [--image-size 32]

Without folders it draws faces, sprites and motorbikes. Half of the images are the real ones; the others get worse in
the six ways of `tests.trainers.metrics.disturbances`, five strengths each. A pair of strengths whose distances stand
in the wrong order is counted.
"""

import argparse
import tempfile
import time
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.benchmarks.common import print_setting
from tests.trainers.metrics.disturbances import DISTURBANCES, STRENGTHS, disturbed
from trainers.data import build_cache, draw_synthetic
from trainers.metrics import Extractor, Moments, RealStatistics, frechet_distance
from trainers.metrics.efficientnet_lite0 import DIM, LENGTH, EfficientNetLite0, find_weights

DRAWN = ("faces", "sprites", "motorbikes")


class Pooled(nn.Module):
    """EfficientNet-Lite0's features before they get their length."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.network = EfficientNetLite0(find_weights(None), side)

    def forward(self, images: Tensor) -> Tensor:
        return self.network.pooled(images)


def moments(features: Tensor) -> Moments:
    """Moments of ``[n, DIM]``."""
    summed = Moments(DIM)
    summed.update(features)
    return summed


def pictures(folder: Path, count: int, side: int, cache: Path) -> tuple[Tensor, Tensor]:
    """`count` real images and as many others, uint8 ``[count, 3, side, side]``, in random order."""
    images = torch.cat(list(build_cache(folder, image_size=side, fit="pad", cache_dir=cache).batches(1024)))
    mixed = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    assert len(mixed) >= 2 * count, f"{folder} has {len(mixed)} images, and --images {count} needs twice as many"
    return mixed[:count], mixed[count : 2 * count]


def worse(others: Tensor) -> dict[tuple[str, float], Tensor]:
    """Every disturbance at every strength, and what a generator that learns nothing makes."""
    made = {(kind, strength): disturbed(others, kind, strength) for kind in DISTURBANCES for strength in STRENGTHS}
    generator = torch.Generator().manual_seed(1)
    noise = torch.randint(0, 256, others.shape, dtype=torch.uint8, generator=generator)
    return {**made, ("pure noise", 1.0): noise, ("plain grey", 1.0): torch.full_like(others, 127)}


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 96], help="pixels that the network sees")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--image-size", type=int, default=32)
    return parser


def main() -> None:
    """Print the distances of every set, then how many pairs were wrong and how fast each size is."""
    asked = parser().parse_args()
    print_setting("torch", "efficientnet_lite_pytorch")
    wrong = {(side, length): 0 for side in asked.sides for length in ("as they are", "made equal")}
    seconds = dict.fromkeys(asked.sides, 0.0)
    pairs = extracted = 0
    with tempfile.TemporaryDirectory() as scratch:
        for kind in () if asked.folders else DRAWN:
            draw_synthetic(kind, Path(scratch) / kind, count=2 * asked.images)
        for folder in asked.folders or [Path(scratch) / kind for kind in DRAWN]:
            real, others = pictures(folder, asked.images, asked.image_size, Path(scratch) / "cache")
            made = worse(others)
            pairs += len(DISTURBANCES) * len(list(combinations(STRENGTHS, 2)))
            extracted += len(real) * (len(made) + 1)
            for side in asked.sides:
                extractor = Extractor(Pooled(side), protocol="pooled", dim=DIM)
                started = time.perf_counter()
                features = {name: extractor(images) for name, images in {("real", 0.0): real, **made}.items()}
                seconds[side] += time.perf_counter() - started
                for length in ("as they are", "made equal"):
                    equal = length == "made equal"
                    vectors = {
                        name: LENGTH * nn.functional.normalize(f, dim=1) if equal else f for name, f in features.items()
                    }
                    wrong[side, length] += print_distances(f"{folder.name}, {side} px, lengths {length}", vectors)
    for (side, length), count in wrong.items():
        print(f"{side} px, lengths {length}: {count} of {pairs} pairs in the wrong order")
    for side, took in seconds.items():
        print(f"{side} px: {extracted / took:.0f} images/s")


def print_distances(title: str, features: dict[tuple[str, float], Tensor]) -> int:
    """Print each row of distances; returns how many pairs of strengths are in the wrong order."""
    real = RealStatistics.from_moments(moments(features["real", 0.0]))
    fids = {name: frechet_distance(real, moments(vectors)) for name, vectors in features.items()}
    print(title)
    for kind in DISTURBANCES:
        print(f"  {kind:<18}" + " ".join(f"{fids[kind, strength]:8.1f}" for strength in STRENGTHS))
    print(f"  pure noise {fids['pure noise', 1.0]:.1f}, plain grey {fids['plain grey', 1.0]:.1f}")
    return sum(fids[k, mild] >= fids[k, strong] for k in DISTURBANCES for mild, strong in combinations(STRENGTHS, 2))


if __name__ == "__main__":
    main()
