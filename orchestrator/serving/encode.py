"""Images as the bytes of an answer, and an image that was sent as pixels."""

import zipfile
from collections.abc import Sequence
from io import BytesIO
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor

from trainers.data.augment import to_unit_range
from trainers.data.decode import SkippedError, SkipReason, as_square, fitted, open_image
from trainers.inference.image_files import encode as encode_file

# Formats of one image, and of several; each with its media type.
ONE = {"png": "image/png", "webp": "image/webp"}
SEVERAL = {"zip": "application/zip", "grid": "image/png"}
PICTURES = ("image/jpeg", "image/png", "image/webp")  # what can be translated
_DECODERS = ("JPEG", "PNG", "WEBP")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that ZIP knows: the same images are the same bytes


def columns_of(count: int) -> int:
    """Images in a row of a grid: as many as rows, or one more."""
    return ceil(sqrt(count))


def encode(pixels: Tensor, form: str, names: Sequence[str]) -> bytes:
    """One file of `pixels`.

    Args:
        pixels: uint8 ``[n, 3, S, S]``.
        form: ``png`` or ``webp`` (lossless) of one image; ``zip`` of PNG files; ``grid``, one PNG of `columns_of` to a
            row without gaps, black where it is not full.
        names: of the images in a zip.
    """
    images = pixels.permute(0, 2, 3, 1).numpy()
    match form:
        case "zip":
            return _zipped(images, names)
        case "grid":
            return encode_file(_grid(images), "png")
        case "webp":
            return encode_file(images[0], "webp")
        case _:
            return encode_file(images[0], "png")


def decode_picture(content: bytes, image_size: int, fit: str, most_pixels: int) -> Tensor:
    """An image that somebody sent, as the generator takes it: ``[1, 3, S, S]`` in [-1, 1].

    Only the decoders of `PICTURES` are asked, and none before the size is known.

    Raises:
        SkippedError: it is none that can be used.
    """
    with open_image(content, formats=_DECODERS) as image:
        if (pixels := image.width * image.height) > most_pixels:
            raise SkippedError(SkipReason.TOO_LARGE, f"{pixels} pixels, the limit is {most_pixels}")
        square = np.array(as_square(fitted(image, image_size, fit), image_size))
    return to_unit_range(torch.from_numpy(square).permute(2, 0, 1)[None])


def _zipped(images: np.ndarray, names: Sequence[str]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # PNG files do not get smaller
        for image, name in zip(images, names, strict=True):
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _EPOCH), encode_file(image, "png"))
    return file.getvalue()


def _grid(images: np.ndarray) -> np.ndarray:
    """``[n, S, S, 3]`` as ``[rows * S, columns * S, 3]``."""
    count, size = images.shape[:2]
    columns = columns_of(count)
    rows = ceil(count / columns)
    whole = np.zeros((rows * columns, size, size, 3), np.uint8)
    whole[:count] = images
    return whole.reshape(rows, columns, size, size, 3).swapaxes(1, 2).reshape(rows * size, columns * size, 3)
