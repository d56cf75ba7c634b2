"""real_statistics: features of the real images, computed once per dataset and extractor."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from trainers.atomic import replacing
from trainers.errors import UserError
from trainers.folders import make_private
from trainers.metrics.beside import KEPT
from trainers.metrics.extractor import Extractor
from trainers.metrics.frechet import RealStatistics
from trainers.metrics.moments import FEWEST, Moments
from trainers.pulse import beat

# Part of the key: raise it whenever the same images and extractor would give another file.
FORMAT_VERSION = 1
SEED = 0  # of the choice of real images whose features are kept

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
    protocol and weights. The same pass keeps what `real_features` returns.

    Args:
        images: the real images.
        extractor: on `device`.
        cache_dir: where statistics lie (32 MB each at 2048 features, and 82 MB for 10,000 images' features);
            made when missing.
        batch_size: images per forward; changes speed only.
        device: where the extractor and the sums run.
        progress: called with (images done, images in all) after each batch; never on a hit.

    Raises:
        UserError: fewer than two images, or a damaged file in the cache.
    """
    if len(images) < FEWEST:
        raise UserError(f"FID needs at least {FEWEST} real images, got {len(images)}")
    make_private(cache_dir)
    path = cache_dir / f"fid_{_key(images.digest, extractor)}.npz"
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            return RealStatistics.load(path)
        moments, chosen = Moments(extractor.dim, device), chosen_images(len(images))
        kept = []
        for batch in images.batches(batch_size):
            features = extractor(batch.to(device))
            kept.append(features.cpu()[chosen[moments.n : moments.n + len(batch)]])
            moments.update(features)
            beat("FID of the real images", moments.n, len(images))
            if progress is not None:
                progress(moments.n, len(images))
        statistics = RealStatistics.from_moments(moments)
        _save_features(_features_path(path), torch.cat(kept))
        statistics.save(path)
        return statistics


def real_features(
    images: ImageSource, *, extractor: Extractor, cache_dir: Path, batch_size: int, device: torch.device | str
) -> Tensor:
    """Features of the real images, at most `KEPT` of them, from the file that `real_statistics` keeps them in.

    They are computed where that file is missing, as it is beside statistics of older versions. Arguments as of
    `real_statistics`.

    Returns:
        float32 [n, d] on the CPU, in the order of the images; of more than `KEPT` a random choice, always the same.

    Raises:
        UserError: a damaged file in the cache.
    """
    make_private(cache_dir)
    statistics = cache_dir / f"fid_{_key(images.digest, extractor)}.npz"
    path = _features_path(statistics)
    with FileLock(statistics.with_suffix(".lock")):
        if not path.exists():
            chosen, kept, seen = chosen_images(len(images)), [], 0
            for batch in images.batches(batch_size):
                wanted = batch[chosen[seen : seen + len(batch)]]
                seen += len(batch)
                if len(wanted):
                    kept.append(extractor(wanted.to(device)).cpu())
                beat("features of the real images", seen, len(images))
            _save_features(path, torch.cat(kept))
        try:
            with path.open("rb") as file:
                return torch.from_numpy(np.load(file, allow_pickle=False))
        except Exception as error:  # numpy raises many types for broken files
            raise UserError(f"{path} holds no features: {error}; delete it, and they are computed again") from error


def chosen_images(n: int) -> Tensor:
    """Which of `n` real images keep their features, bool [n]: all, or `KEPT` at random, always the same."""
    chosen = torch.zeros(n, dtype=torch.bool)
    chosen[torch.randperm(n, generator=torch.Generator().manual_seed(SEED))[:KEPT]] = True
    return chosen


def _features_path(statistics: Path) -> Path:
    return statistics.with_name(f"features{KEPT}_{statistics.stem.removeprefix('fid_')}.npy")


def _save_features(path: Path, features: Tensor) -> None:
    with replacing(path, shared=True) as part, part.open("wb") as file:
        np.save(file, features.numpy())


def _key(digest: str, extractor: Extractor) -> str:
    parts = (str(FORMAT_VERSION), digest, extractor.protocol, extractor.fingerprint())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
