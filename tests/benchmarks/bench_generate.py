"""How fast `gan-sweep generate` is, and what the time goes on: the generator alone, the encoder alone, both together.

Usage: python -m tests.benchmarks.bench_generate [--space ralsgan_motorbike] [--image-size 128] [--images 256]

The weights are random; images then hardly compress, so the encoder gets photographs of drawn motorbikes instead.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from orchestrator.space.load import load_space
from tests.benchmarks.common import print_setting
from trainers.config import TrainConfig
from trainers.data import build_cache, draw_motorbikes
from trainers.data.pool import cores
from trainers.families import find_family
from trainers.inference import FinishedGenerator, Output, encode, find_device, make_set
from trainers.inference.sets import last_channels
from trainers.inference.threads import threads_for


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="ralsgan_motorbike")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--images", type=int, default=256)
    return parser


def generator_of(space: str, image_size: int, dtype: torch.dtype) -> FinishedGenerator:
    """A generator that has learnt nothing, on a GPU where there is one."""
    config = TrainConfig.build(load_space(space).base.model_dump(), {"data.image_size": image_size})
    torch.manual_seed(0)
    module, _ = find_family(config).build_pair(config)
    return FinishedGenerator(config, module, epoch=0, source=space, device=find_device(), dtype=dtype)


def generate_alone(generator: FinishedGenerator, count: int) -> float:
    """Images/s."""
    with threads_for(generator) as threads:
        size = threads.batch_size
        inputs = generator.inputs(range(count)).split(size)
        generator.pixels(inputs[0])
        began = time.perf_counter()
        for _ in threads.generate(generator.pixels, inputs):
            pass
    return count / (time.perf_counter() - began)


def encode_alone(pool: Executor, pictures: Iterable[np.ndarray], kind: str, count: int) -> float:
    """Images/s; the pool is up before the clock starts."""
    work: Callable[[np.ndarray], bytes] = partial(encode, kind=kind)
    some = list(pictures)
    list(pool.map(work, some[: 2 * cores()]))
    began = time.perf_counter()
    list(pool.map(work, (some[number % len(some)] for number in range(count)), chunksize=8))
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print images/s of each part, then of the whole in each format."""
    asked = parser().parse_args()
    print_setting("torch", "pillow")
    print(f"{asked.space} at {asked.image_size} px, {asked.images} images, {cores()} cores")
    for dtype in (torch.float64, torch.float32):
        generator = generator_of(asked.space, asked.image_size, dtype)
        speed = generate_alone(generator, asked.images)
        print(f"generator alone, {str(dtype).removeprefix('torch.')}: {speed:.1f} images/s")
    with tempfile.TemporaryDirectory() as scratch:
        draw_motorbikes(Path(scratch) / "drawn", count=min(asked.images, 64), broken=False)
        cache = build_cache(
            Path(scratch) / "drawn", image_size=asked.image_size, fit="pad", cache_dir=Path(scratch) / "cache"
        )
        pictures = last_channels(torch.cat(list(cache.batches(64))))
        for kind in ("png", "webp"):
            with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(cores()) as all_threads:
                alone, many = (encode_alone(pool, pictures, kind, asked.images) for pool in (one, all_threads))
            with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as processes:
                others = encode_alone(processes, pictures, kind, asked.images)
            print(
                f"encoder alone, {kind}: {alone:.0f} images/s in one thread, {many:.0f} in {cores()}, "
                f"{others:.0f} in {cores()} processes"
            )
        for kind in ("png", "webp", "parquet"):
            generator = generator_of(asked.space, asked.image_size, torch.float64)
            made = make_set(generator, asked.images, Output(folder=Path(scratch) / kind, format=kind))
            print(
                f"both, {kind}: {made.images / made.seconds:.1f} images/s, generator {made.making_s:.1f} s, "
                f"encoder {made.encoding_s:.2f} s, in {made.seconds:.1f} s on {made.threads} threads"
            )


if __name__ == "__main__":
    main()
