"""real_statistics: features of the real images, computed once per dataset and extractor."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from filelock import FileLock
from torch import Tensor

from trainers.errors import UserError
from trainers.folders import make_private
from trainers.metrics.extractor import Extractor
from trainers.metrics.frechet import RealStatistics
from trainers.metrics.moments import Moments
from trainers.pulse import beat

# Part of the key: raise it whenever the same images and extractor would give another file.
FORMAT_VERSION = 1

Progress = Callable[[int, int], None]


class ImageSource(Protocol):
    """Real images, as `trainers.data.ImageCache` has them."""

    @property
    def digest(self) -> str:
        """Hash of the content: files, resolution and preprocessing."""

    def __len__(self) -> int: ...

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """All images once, uint8 [B, 3, S, S]."""


def real_statistics(
    images: ImageSource,
    *,
    extractor: Extractor,
    cache_dir: Path,
    batch_size: int,
    device: torch.device | str,
    progress: Progress | None = None,
) -> RealStatistics:
    """Statistics of all `images`, from ``<cache_dir>/fid_<key>.npz`` or computed and kept there.

    Several processes may call this at once; one of them computes. The key covers the images' digest and the extractor's
    protocol and weights.

    Args:
        images: the real images.
        extractor: on `device`.
        cache_dir: where statistics lie (32 MB each at 2048 features); made when missing.
        batch_size: images per forward; changes speed only.
        device: where the extractor and the sums run.
        progress: called with (images done, images in all) after each batch; never on a hit.

    Raises:
        UserError: fewer than two images, or a damaged file in the cache.
    """
    if len(images) < 2:
        raise UserError(f"FID needs at least 2 real images, got {len(images)}")
    make_private(cache_dir)
    path = cache_dir / f"fid_{_key(images.digest, extractor)}.npz"
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            return RealStatistics.load(path)
        moments = Moments(extractor.dim, device)
        for batch in images.batches(batch_size):
            moments.update(extractor(batch.to(device)))
            beat("FID of the real images", moments.n, len(images))
            if progress is not None:
                progress(moments.n, len(images))
        statistics = RealStatistics.from_moments(moments)
        statistics.save(path)
        return statistics


def _key(digest: str, extractor: Extractor) -> str:
    parts = (str(FORMAT_VERSION), digest, extractor.protocol, extractor.fingerprint())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
