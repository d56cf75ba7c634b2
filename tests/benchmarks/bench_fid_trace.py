"""Time of the Frechet distance: pytorch-fid's `calculate_frechet_distance` against ours, on the same moments.

Run: python -m tests.benchmarks.bench_fid_trace [--n 1000 10000] [--dim 2048] [--n-real 10000] [--repeats 2]
Both sides start from moments that are already summed up; pytorch-fid gets mean and covariance as NumPy arrays.
"""

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from pytorch_fid.fid_score import calculate_frechet_distance

from trainers.metrics import Moments, RealStatistics, frechet_distance

T = TypeVar("T")


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[1000, 10_000], help="generated images")
    parser.add_argument("--dim", type=int, default=2048, help="length of a feature vector")
    parser.add_argument("--n-real", type=int, default=10_000, help="real images")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each side, taking turns; the fastest counts")
    return parser


def main() -> None:
    args = parser().parse_args()
    warnings.filterwarnings("ignore", message="Matrix is singular")

    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processor()}, {len(os.sched_getaffinity(0))} cores, CPU only")
    print(f"torch threads {torch.get_num_threads()}, load of the machine before the run {os.getloadavg()[0]:.2f}")
    print(", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "pytorch-fid")))
    print(f"d = {args.dim}, n_real = {args.n_real}, synthetic features, best of {args.repeats} of each side")

    real_moments = moments_of(features(args.n_real, args.dim, seed=0))
    seconds, real = timed(lambda: RealStatistics.from_moments(real_moments))
    print(f"root of the real covariance, once per dataset: {seconds:.2f} s")
    real_numpy = real_moments.mean.numpy(), real_moments.covariance.numpy()

    print(f"{'n_fake':>8} {'pytorch-fid s':>14} {'ours s':>8} {'ratio':>7} {'FID':>12} {'relative difference':>20}")
    for n in args.n:
        fake = moments_of(features(n, args.dim, seed=n))
        fake_numpy = fake.mean.numpy(), fake.covariance.numpy()
        ours_seconds = theirs_seconds = float("inf")
        for _ in range(args.repeats):
            seconds, ours = timed(lambda fake=fake: frechet_distance(real, fake))
            ours_seconds = min(ours_seconds, seconds)
            seconds, theirs = timed(lambda moments=fake_numpy: calculate_frechet_distance(*real_numpy, *moments))
            theirs_seconds = min(theirs_seconds, seconds)
        print(
            f"{n:>8} {theirs_seconds:>14.2f} {ours_seconds:>8.3f} {theirs_seconds / ours_seconds:>7.1f} "
            f"{theirs:>12.6f} {abs(ours - theirs) / abs(theirs):>20.1e}",
            flush=True,
        )
    print(f"load of the machine after the run {os.getloadavg()[0]:.2f}")


def features(n: int, dim: int, seed: int) -> np.ndarray:
    """Like a network's: non-negative, correlated, with a spectrum that falls as a power law. float64 [n, dim]."""
    basis = np.linalg.qr(np.random.default_rng(dim).standard_normal((dim, dim)))[0]
    rng = np.random.default_rng(seed)
    scale = np.arange(1, dim + 1) ** -0.7 * (1 + 0.3 * rng.standard_normal(dim))
    return np.maximum(0.4 + rng.standard_normal((n, dim)) * scale @ basis.T, 0)


def moments_of(rows: np.ndarray) -> Moments:
    moments = Moments(rows.shape[1])
    for part in torch.from_numpy(rows).split(100):
        moments.update(part)
    return moments


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Wall seconds of `call`, and its result."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
