"""A share of the images that no training sees. What decides about an image is its content, whatever it is called."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.data.files import hash_file
from trainers.data.reader import ImageCache
from trainers.data.source import open_source
from trainers.errors import UserError

FEWEST = 8  # images that are held out: FID of fewer says nothing


class Part(ImageCache):
    """Some of the images of a cache, in their order, with a digest of their own; otherwise as the cache.

    Args:
        whole: the cache.
        indices: int64 [n], ascending.
        name: what tells its digest from those of other parts.
    """

    def __init__(self, whole: ImageCache, indices: NDArray[np.int64], name: str) -> None:
        super().__init__(whole.path, whole.report, whole._chunks)
        self._whole, self._indices, self._name = whole, indices, name

    def __reduce__(self) -> tuple[Callable[..., ImageCache], tuple[Any, ...]]:
        return Part, (self._whole, self._indices, self._name)

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def digest(self) -> str:
        """Key of the content: that of the whole, and which part it is."""
        return hashlib.sha256(f"{self._whole.digest} {self._name}".encode()).hexdigest()[:32]

    def paths(self) -> list[str]:
        """As of the whole, of these images."""
        paths = self._whole.paths()
        return [paths[index] for index in self._indices]

    def gather(self, indices: Tensor | NDArray[np.int64]) -> Tensor:
        """As of the whole, by the number in this part."""
        index = indices.numpy(force=True) if isinstance(indices, Tensor) else np.asarray(indices)
        if index.size and (index.min() < 0 or index.max() >= len(self)):
            raise IndexError(f"indices must lie in [0, {len(self)}), got {index.min()} to {index.max()}")
        return self._whole.gather(torch.from_numpy(self._indices)[torch.from_numpy(index)])


def split(cache: ImageCache, source: Path, share: float, seed: int, batch: int) -> tuple[Part, Part]:
    """The images to train on, and those that are held out.

    A hash of the file's bytes and the seed decides, so the same photograph is on the same side under any name, in any
    folder, at any size, and so are its copies. Of few images the share is met roughly.

    Args:
        cache: of all images.
        source: the folder or prepared dataset that it was built from.
        share: of the images to hold out, above 0.
        seed: another one holds out others.
        batch: images of a global batch.

    Raises:
        UserError: too few images are left on one side.
    """
    sides = {
        name: _held_out(hashlib.sha256(item).digest() if isinstance(item, bytes) else hash_file(item), share, seed)
        for name, item in open_source(source).items()
    }
    mask = np.array([sides[path] for path in cache.paths()])
    name = f"{share} {seed}"
    held_out = Part(cache, np.flatnonzero(mask), f"held out {name}")
    training = Part(cache, np.flatnonzero(~mask), f"without held out {name}")
    of = f"of the {len(cache)} images in {source}"
    if len(held_out) < FEWEST:
        raise UserError(
            f"data.heldout {share:g} keeps {len(held_out)} {of}, and needs at least {FEWEST}: raise it, or add images"
        )
    if len(training) < batch:
        raise UserError(
            f"data.heldout {share:g} leaves {len(training)} {of} to train on, fewer than one batch of {batch}: "
            "lower it or data.batch_size, or add images"
        )
    return training, held_out


def _held_out(content: bytes, share: float, seed: int) -> bool:
    number = hashlib.sha256(seed.to_bytes(8, "little") + content).digest()[:8]
    return int.from_bytes(number, "little") < share * 2**64
