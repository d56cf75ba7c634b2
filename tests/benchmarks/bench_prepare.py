"""Images per second and memory of `gan-sweep data prepare`, on drawn motorbikes with noise.

Usage: python -m tests.benchmarks.bench_prepare [--images 500] [--width 640] [--workers 0]

The files are JPEGs of quality 90; noise makes them as large as photographs, and no two alike. Every filter is on but
the detector. Memory is the most that the process and its children held at once, sampled 50 times a second, above what
they held before. Then the same call again, which finds everything there.
"""

import argparse
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import psutil
from PIL import Image

from tests.benchmarks.common import print_setting
from trainers.data.prepare import PrepareOptions, prepare
from trainers.data.synthetic.motorbikes import draw_motorbike


class Memory:
    """Samples the resident memory of this process and its children."""

    def __init__(self) -> None:
        self.before = self.peak = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._now())

    @staticmethod
    def _now() -> int:
        process, total = psutil.Process(), 0
        for one in (process, *process.children(recursive=True)):
            try:
                total += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


def fill(folder: Path, images: int, width: int) -> int:
    """Draw `images` JPEGs; returns their bytes."""
    folder.mkdir()

    def save(number: int) -> int:
        picture = draw_motorbike(Random(number)).resize((width, width * 3 // 4))
        noise = np.random.default_rng(number).normal(0, 12, (picture.height, picture.width, 1))
        pixels = (np.asarray(picture) + noise).clip(0, 255).astype(np.uint8)
        path = folder / f"{number:06d}.jpg"
        Image.fromarray(pixels).save(path, quality=90)
        return path.stat().st_size

    with ThreadPoolExecutor() as pool:
        return sum(pool.map(save, range(images)))


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--width", type=int, default=640, help="pixels")
    parser.add_argument("--size", type=int, default=128, help="of the dataset, pixels")
    parser.add_argument("--workers", type=int, default=0, help="threads; 0: one per core")
    return parser


def main() -> None:
    """Prepare once, find it done once."""
    asked = parser().parse_args()
    print_setting("pillow", "pyarrow")
    with tempfile.TemporaryDirectory() as name:
        source, dataset = Path(name) / "photos", Path(name) / "dataset"
        size = fill(source, asked.images, asked.width)
        print(f"{asked.images} JPEGs of {asked.width} px, {size / 1e6:.0f} MB, to {asked.size} px")
        options = PrepareOptions(size=asked.size, dedupe=True, max_colourfulness=200, max_aspect=4, min_side=32)
        with Memory() as memory:
            started = time.perf_counter()
            manifest = prepare(source, dataset, options, workers=asked.workers or None).manifest
            seconds = time.perf_counter() - started
        written = sum(path.stat().st_size for path in dataset.iterdir())
        print(f"prepared   {manifest.images} images in {seconds:.1f} s: {asked.images / seconds:.0f} images/s")
        print(f"memory     {(memory.peak - memory.before) / 1e6:.0f} MB at most above {memory.before / 1e6:.0f} MB")
        print(f"dataset    {written / 1e6:.0f} MB, dropped {manifest.dropped or 'nothing'}")
        started = time.perf_counter()
        prepare(source, dataset, options)
        print(f"again      {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
