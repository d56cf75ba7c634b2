"""What a process keeps in memory from trial to trial: decoded images, extractors, statistics of the real images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from trainers.config import TrainConfig
from trainers.data import ImageCache, build_cache, read_labels, require_images, split
from trainers.metrics import Extractor, RealStatistics, build_extractor, real_features, real_statistics
from trainers.transfer import prefetched, upload

_Key = tuple[str, str, str | None]  # an image cache's digest, an extractor and its weights
Made = TypeVar("Made")

RESIDENT_SHARE = 0.25  # of the GPU's free memory; the decoded images stay there if they take less


class Images:
    """The real images on the training device.

    On a GPU with room they are uploaded once as uint8 and indexed there; otherwise the next batch is copied through
    pinned memory while this one trains.
    """

    def __init__(self, cache: ImageCache, device: torch.device) -> None:
        self.cache, self.device = cache, device
        self._resident: Tensor | None = None
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if len(cache) * 3 * cache.image_size**2 < RESIDENT_SHARE * free:
                self._resident = resident(cache, device)

    def __len__(self) -> int:
        return len(self.cache)

    def batch(self, indices: Tensor) -> Tensor:
        """Images ``[B, 3, S, S]`` uint8 on the device, for indices ``[B]`` int64 on the CPU."""
        if self._resident is not None:
            return self._resident[upload(indices, self.device)]
        return upload(self.cache.gather(indices), self.device)

    def stream(self, indices: Tensor) -> Iterator[Tensor]:
        """`batch` of each row of `indices`, int64 ``[steps, B]`` on the CPU, without waiting for the device."""
        if self._resident is not None:
            for row in upload(indices, self.device):
                yield self._resident[row]
        elif self.device.type == "cpu":
            for row in indices:
                yield self.cache.gather(row)
        else:
            yield from prefetched(self.cache.gather, indices, self.device)

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """All images in order, uint8."""
        return self.cache.batches(batch_size)


def resident(cache: ImageCache, device: torch.device) -> Tensor:
    """All images, uint8 ``[n, 3, S, S]`` on `device`. The host holds 1024 of them at a time."""
    images = torch.empty(len(cache), 3, cache.image_size, cache.image_size, dtype=torch.uint8, device=device)
    start = 0
    for part in cache.batches(1024):
        images[start : start + len(part)] = part
        start += len(part)
    return images


class Assets:
    """Loads each asset once per process.

    Args:
        data: directory of the real images, as the user gave it.
        cache_dir: where decoded images and statistics are kept.
        device: where training and FID run.
    """

    def __init__(self, data: Path, cache_dir: Path, device: torch.device) -> None:
        self.data, self._cache_dir, self.device = data, cache_dir, device
        self._images: dict[str, Images] = {}
        self._held_out: dict[str, ImageCache] = {}
        self._labels: dict[str, Tensor] = {}
        self._extractors: dict[tuple[str, str | None], Extractor] = {}
        self._statistics: dict[_Key, RealStatistics] = {}
        self._features: dict[_Key, Tensor] = {}

    def images(self, config: TrainConfig, folder: Path | None = None) -> Images:
        """The images of one folder at the run's size and fit, without those that are held out.

        Args:
            config: the run.
            folder: one of the family's `find_sources`; None: the whole data.

        Raises:
            UserError: fewer usable images than one global batch.
        """
        folder = folder or self.data
        data, key = config.data, _images_key(config, folder)
        if key not in self._images:
            cache = build_cache(folder, image_size=data.image_size, fit=data.fit, cache_dir=self._cache_dir)
            if data.heldout:
                batch = data.batch_size
                cache, self._held_out[key] = split(cache, folder, data.heldout, data.heldout_seed, batch)
            self._images[key] = Images(cache, self.device)
        require_images(self._images[key].cache, config.data.batch_size)
        return self._images[key]

    def labels(self, config: TrainConfig, folder: Path | None = None) -> Tensor:
        """Classes ``[images, attributes]`` int64 on the CPU, -1 where a tag is missing.

        Args:
            config: the run.
            folder: one of the family's `find_sources`; None: the whole data.

        Raises:
            UserError: an attribute that no image has.
        """
        assert isinstance(config.labels, dict), "labels: auto is resolved at launch"
        folder = folder or self.data
        key = repr((folder, config.data, config.labels))
        if key not in self._labels:
            self._labels[key] = read_labels(folder, self.images(config, folder).cache.paths(), config.labels)
        return self._labels[key]

    def extractor(self, config: TrainConfig) -> Extractor:
        """The network whose features FID compares."""
        key = (config.fid.extractor, config.fid.weights)
        if key not in self._extractors:
            self._extractors[key] = build_extractor(*key, device=self.device)
        return self._extractors[key]

    def statistics(self, config: TrainConfig, folder: Path | None = None) -> RealStatistics:
        """Moments of the real images' features.

        Args:
            config: the run.
            folder: one of the family's `find_sources`; None: the whole data.
        """
        return self._statistics_of(config, self.images(config, folder).cache)

    def held_out_statistics(self, config: TrainConfig, folder: Path | None = None) -> RealStatistics:
        """As `statistics`, of the images that ``data.heldout`` keeps from training."""
        return self._statistics_of(config, self.held_out_images(config, folder))

    def held_out_features(self, config: TrainConfig, folder: Path | None = None) -> Tensor:
        """As `features`, of the images that ``data.heldout`` keeps from training."""
        return self._features_of(config, self.held_out_images(config, folder))

    def held_out_images(self, config: TrainConfig, folder: Path | None = None) -> ImageCache:
        """The images that ``data.heldout`` keeps from training; arguments as of `statistics`."""
        self.images(config, folder)
        return self._held_out[_images_key(config, folder or self.data)]

    def _statistics_of(self, config: TrainConfig, cache: ImageCache) -> RealStatistics:
        return self._of_real(real_statistics, self._statistics, config, cache)

    def features(self, config: TrainConfig, folder: Path | None = None) -> Tensor:
        """The real images' features, as `trainers.metrics.real_features` has them; arguments as of `statistics`."""
        return self._features_of(config, self.images(config, folder).cache)

    def _features_of(self, config: TrainConfig, cache: ImageCache) -> Tensor:
        return self._of_real(real_features, self._features, config, cache)

    def _of_real(
        self, make: Callable[..., Made], kept: dict[_Key, Made], config: TrainConfig, cache: ImageCache
    ) -> Made:
        """What `make` computes of real images, unless it is `kept` already."""
        key = (cache.digest, config.fid.extractor, config.fid.weights)
        if key not in kept:
            kept[key] = make(
                cache,
                extractor=self.extractor(config),
                cache_dir=self._cache_dir,
                batch_size=config.fid.batch_size,
                device=self.device,
            )
        return kept[key]


def _images_key(config: TrainConfig, folder: Path) -> str:
    data = config.data
    return repr((folder, data.image_size, data.fit, data.heldout, data.heldout_seed))
