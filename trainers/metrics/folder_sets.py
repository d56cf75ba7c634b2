"""FID of a folder of images as a sweep measures: decoded as for training, in sets of the protocol's number."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from trainers.data.decode import SkippedError, decode_image
from trainers.data.pool import cores, in_order
from trainers.data.source import open_source
from trainers.errors import UserError
from trainers.metrics.extractor import Extractor
from trainers.metrics.fid import FidResult, diversity, protocol_name
from trainers.metrics.frechet import RealStatistics, frechet_distance
from trainers.metrics.moments import FEWEST, Moments

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class FolderFid:
    """FID of a folder.

    Attributes:
        whole: of all its images.
        sets: of disjoint sets of `set_size` images each, in the order of the files; empty where there are fewer.
        set_size: the number that the protocol asks for.
        skipped: files without a usable image.
    """

    whole: FidResult
    sets: tuple[float, ...]
    set_size: int
    skipped: int


def fid_of_folder(
    folder: Path,
    real: RealStatistics,
    *,
    image_size: int,
    fit: str,
    set_size: int,
    extractor: Extractor,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
    held_out: float = 0.0,
) -> FolderFid:
    """FID of a folder against statistics of real images that were decoded in the same way.

    A FID of more images is lower, whoever made them. So there is one per set of `set_size`, which can be compared with
    others of that protocol, and one of all.

    Args:
        folder: of images, with any subfolders, or a prepared dataset.
        real: statistics of the real images, from the same extractor.
        image_size, fit: see `trainers.data.decode_image`.
        set_size: images of a set.
        extractor: on `device`.
        batch_size: images per forward; changes speed only.
        device: where the extractor and the sums run.
        progress: called with (files done, files in all).
        held_out: share of the images that are not in `real`, since no training sees them.

    Raises:
        UserError: the folder is missing, or has fewer than two usable images.
    """
    started = time.perf_counter()
    whole, part, sets = Moments(extractor.dim, device), Moments(extractor.dim, device), list[float]()
    images = open_source(folder)
    skipped = 0

    def decode(item: tuple[str, Path | bytes]) -> Tensor | None:
        try:
            return torch.from_numpy(decode_image(item[1], image_size, fit))
        except SkippedError:
            return None

    def usable(decoded: Iterator[Tensor | None]) -> Iterator[Tensor]:
        nonlocal skipped
        for done, image in enumerate(decoded, 1):
            if image is None:
                skipped += 1
            else:
                yield image
            if progress is not None:
                progress(done, images.total)

    with ThreadPoolExecutor(cores()) as pool, closing(in_order(pool, decode, images.items())) as decoded:
        good = usable(decoded)
        while batch := list(islice(good, batch_size)):
            features = extractor(torch.stack(batch).to(device))
            whole.update(features)
            while len(features):
                taken, features = features[: set_size - part.n], features[set_size - part.n :]
                part.update(taken)
                if part.n == set_size:
                    sets.append(frechet_distance(real, part))
                    part = Moments(extractor.dim, device)
    if whole.n < FEWEST:
        there = f"{whole.n} usable ones among {images.total} files"
        raise UserError(f"FID needs at least {FEWEST} images, {folder} has {there}")
    result = FidResult(
        value=max(0.0, frechet_distance(real, whole)),
        diversity=diversity(real, whole),
        name=protocol_name(extractor.protocol, whole.n, held_out),
        n_real=real.n,
        n_fake=whole.n,
        seconds=time.perf_counter() - started,
    )
    return FolderFid(whole=result, sets=tuple(sets), set_size=set_size, skipped=skipped)
