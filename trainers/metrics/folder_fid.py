"""Two folders of images compared: FID as ``python -m pytorch_fid DIR_A DIR_B`` computes it, and more on request."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainers.data.manifest import find_manifest
from trainers.data.shards import read_images
from trainers.errors import UserError
from trainers.metric_names import INCEPTION_SCORE, KID, NEIGHBOURS, PRDC
from trainers.metrics.extractor import Extractor, without_tf32
from trainers.metrics.fid import FidResult, diversity, protocol_name
from trainers.metrics.frechet import RealStatistics, frechet_distance
from trainers.metrics.inception_score import SPLITS, inception_score
from trainers.metrics.kid import Kid, kid
from trainers.metrics.moments import FEWEST, Moments
from trainers.metrics.neighbours import Neighbours, neighbours

# As in pytorch-fid: lower case only, and no subfolders.
EXTENSIONS = ("bmp", "jpg", "jpeg", "pgm", "png", "ppm", "tif", "tiff", "webp")
# What Pillow raises for files that it cannot decode.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


METRICS = ("fid", KID, PRDC, INCEPTION_SCORE)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two folders have been compared by; None is what was not asked for. The Inception score is of the second."""

    fid: FidResult
    kid: Kid | None = None
    neighbours: Neighbours | None = None
    inception_score: float | None = None


def fid_between_folders(
    dir_a: str | Path,
    dir_b: str | Path,
    *,
    extractor: Extractor,
    batch_size: int = 50,
    device: torch.device | str = "cpu",
) -> FidResult:
    """FID of `compare_folders`."""
    return compare_folders(dir_a, dir_b, extractor=extractor, batch_size=batch_size, device=device).fid


def compare_folders(
    dir_a: str | Path,
    dir_b: str | Path,
    *,
    extractor: Extractor,
    metrics: Collection[str] = (),
    k: int = NEIGHBOURS,
    batch_size: int = 50,
    device: torch.device | str = "cpu",
) -> Comparison:
    """FID of the images in `dir_b` against those in `dir_a`, and other metrics from the same features.

    With the ``inception`` extractor this is ``pytorch_fid.fid_score.calculate_fid_given_paths``. Unlike there, images
    may differ in size: the extractor gets each at its own size.

    Args:
        dir_a: the real images, a folder or a dataset of `trainers.data.prepare`; subfolders are not read.
        dir_b: the fakes.
        extractor: on `device`.
        metrics: of METRICS; FID is always there, and symmetric.
        k: nearest neighbours that make a neighbourhood of ``prdc``.
        batch_size: images per forward; changes speed only.
        device: where the extractor and the sums run.

    Raises:
        UserError: a folder is missing or has too few images, a file cannot be read, or the Inception score was asked
            for and the extractor has no classes.
    """
    started = time.perf_counter()
    files_a, files_b = find_images(Path(dir_a)), find_images(Path(dir_b))
    if PRDC in metrics:
        for folder, files in ((dir_a, files_a), (dir_b, files_b)):
            if len(files) <= k:
                raise UserError(f"{PRDC} needs more than {k} images in each folder, {folder} has {len(files)}")
    if INCEPTION_SCORE in metrics:
        if extractor.classes is None:
            raise UserError(f"{INCEPTION_SCORE} needs the extractor inception: {extractor.protocol} has no classes")
        if len(files_b) < SPLITS:
            raise UserError(f"{INCEPTION_SCORE} needs at least {SPLITS} images, {dir_b} has {len(files_b)}")
    kept: tuple[list[Tensor], list[Tensor]] = ([], [])
    wanted = {KID, PRDC} & set(metrics), {KID, PRDC, INCEPTION_SCORE} & set(metrics)
    of_a, fake = (
        _moments(files, extractor, batch_size, device, features if names else None)
        for files, features, names in zip((files_a, files_b), kept, wanted, strict=True)
    )
    real = RealStatistics.from_moments(of_a)
    fid = FidResult(
        value=max(0.0, frechet_distance(real, fake)),  # rounding puts it just below 0 where the folders are alike
        diversity=diversity(real, fake),
        name=protocol_name(extractor.protocol, fake.n),
        n_real=real.n,
        n_fake=fake.n,
        seconds=time.perf_counter() - started,
    )
    with without_tf32():
        return Comparison(
            fid=fid,
            kid=kid(torch.cat(kept[0]), torch.cat(kept[1])) if KID in metrics else None,
            neighbours=neighbours(torch.cat(kept[0]), torch.cat(kept[1]), k) if PRDC in metrics else None,
            inception_score=_score(torch.cat(kept[1]), extractor) if INCEPTION_SCORE in metrics else None,
        )


def _score(fake: Tensor, extractor: Extractor) -> float:
    assert extractor.classes is not None
    return inception_score(fake, extractor.classes)


def find_images(folder: Path) -> Sequence[Path | bytes]:
    """The image files of a folder, or the PNGs of a prepared dataset.

    Raises:
        UserError: the folder is missing, has fewer than two images, or one of them is no regular file.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    if (manifest := find_manifest(folder)) is not None and manifest.images >= FEWEST:
        return [png for _, png in read_images(folder)]
    files = sorted(path for extension in EXTENSIONS for path in folder.glob(f"*.{extension}"))
    if len(files) < FEWEST:
        raise UserError(f"FID needs at least {FEWEST} images, {folder} has {len(files)} ({', '.join(EXTENSIONS)})")
    if odd := [path for path in files if not path.is_file()]:  # opening a pipe would wait for ever
        raise UserError(f"{odd[0]} cannot be read as an image: it is not a regular file")
    return files


def image_sizes(files: Sequence[Path | bytes]) -> Counter[tuple[int, int]]:
    """How many of the images have which width and height, pixels.

    Raises:
        UserError: a file cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return Counter(pool.map(_size, files))


def _moments(
    files: Sequence[Path | bytes],
    extractor: Extractor,
    batch_size: int,
    device: torch.device | str,
    kept: list[Tensor] | None,
) -> Moments:
    """Moments of a folder's features; the features themselves are added to `kept`."""
    moments = Moments(extractor.dim, device)
    for batch in _batches(files, batch_size):
        features = extractor(batch.to(device))
        moments.update(features)
        if kept is not None:
            kept.append(features)
    return moments


def _batches(files: Sequence[Path | bytes], batch_size: int) -> Iterator[Tensor]:
    """Yield uint8 [B, 3, H, W], images of one size together."""
    with ThreadPoolExecutor() as pool:  # Pillow decodes outside the GIL
        by_size: dict[tuple[int, int], list[Path | bytes]] = defaultdict(list)
        for path, size in zip(files, pool.map(_size, files), strict=True):
            by_size[size].append(path)
        for paths in by_size.values():
            for start in range(0, len(paths), batch_size):
                images = np.stack(list(pool.map(_read, paths[start : start + batch_size])))  # [B, H, W, 3]
                yield torch.from_numpy(images).permute(0, 3, 1, 2)


def _size(source: Path | bytes) -> tuple[int, int]:
    with _opened(source) as image:
        return image.size


def _read(source: Path | bytes) -> np.ndarray:
    with _opened(source) as image:
        return np.asarray(image.convert("RGB"))


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(source if isinstance(source, Path) else BytesIO(source)) as image:
            yield image
    except UNREADABLE as error:
        name = source if isinstance(source, Path) else "an image of a prepared dataset"
        raise UserError(f"{name} cannot be read as an image: {error}") from error
