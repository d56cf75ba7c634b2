"""Small folders of images and their caches."""

from pathlib import Path

import numpy as np
from PIL import Image

from trainers.data import ImageCache, build_cache


def build(source: Path, cache_dir: Path, image_size: int = 8, fit: str = "pad", **options: object) -> ImageCache:
    return build_cache(source, image_size=image_size, fit=fit, cache_dir=cache_dir, **options)  # type: ignore[arg-type]


def fill(folder: Path, count: int) -> Path:
    """`count` different 12x9 PNGs, every third in a subfolder."""
    random = np.random.default_rng(0)
    (folder / "sub").mkdir(parents=True)
    for i in range(count):
        pixels = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / ("sub" if i % 3 == 2 else "") / f"{i:04d}.png")
    return folder


def visible(cache_dir: Path) -> list[str]:
    return sorted(path.name for path in cache_dir.glob("*") if path.suffix != ".lock")
