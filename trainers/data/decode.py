"""Decodes an image file to a uint8 square, or says why it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import BytesIO
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from trainers.errors import UserError

FITS = ("pad", "stretch")

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the upright picture

# In these formats a second frame is the next moment; in the others (TIFF, MPO, PSD) it is a page, preview or layer.
_ANIMATED_FORMATS = frozenset({"AVIF", "FLI", "GIF", "PNG", "WEBP"})

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class SkipReason(StrEnum):
    """Why a file gave no image."""

    EMPTY = "empty"  # zero bytes
    NOT_AN_IMAGE = "not_an_image"  # no format recognised
    ANIMATED = "animated"  # more than one frame: a fault that the Zalo motorbike article names
    TRUNCATED = "truncated"  # ends before its last pixel
    TOO_LARGE = "too_large"  # more pixels than Pillow thinks safe
    UNREADABLE = "unreadable"  # no permission, dangling link, not a regular file
    UNDECODABLE = "undecodable"  # everything else


class SkippedError(Exception):
    """The file cannot be used; `reason` for counting, `detail` for people."""

    def __init__(self, reason: StrEnum, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode_image(source: Path | bytes, image_size: int, fit: str) -> NDArray[np.uint8]:
    """Decode one file of any format that Pillow reads.

    Transparency is composited over white, the usual background of product photographs; only the bars of ``pad`` are
    black. 16-bit grey is divided by 257. The EXIF orientation is applied.

    Args:
        source: the file, or its content.
        image_size: side S of the result, pixels.
        fit: ``"pad"`` scales the longer side to S, centres, and leaves black bars (`padding_image` of the Zalo
            motorbike article); ``"stretch"`` fills the square. Both resample bilinearly, and on purpose differ from
            that article's `cv2.resize` where they shrink: they average all pixels instead of skipping most.

    Returns:
        [3, S, S] RGB.

    Raises:
        SkippedError: the file gives no image.
    """
    assert fit in FITS, fit
    with open_image(source) as image:
        return np.ascontiguousarray(
            np.asarray(as_square(fitted(image, image_size, fit), image_size)).transpose(2, 0, 1)
        )


@contextmanager
def open_image(
    source: Path | bytes, *, first_frame: bool = False, formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """Open an image and read its header. Errors of decoding it inside the block become a SkippedError with a reason.

    Args:
        source: the file, or its content.
        first_frame: accept animations; their first frame is the image.
        formats: Pillow's names of those to try; None: all.

    Raises:
        SkippedError: the file gives no image.
    """
    # Pillow registers rare formats lazily, and of two threads that both need that, one may be told "not an image".
    Image.init()
    try:
        if isinstance(source, Path) and not source.is_file():
            raise SkippedError(SkipReason.UNREADABLE, "not a regular file")
        if not (source.stat().st_size if isinstance(source, Path) else source):
            raise SkippedError(SkipReason.EMPTY, "zero bytes")
        with Image.open(source if isinstance(source, Path) else BytesIO(source), formats=formats) as image:
            _check(image, first_frame)
            yield image
    except (SkippedError, UserError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise SkippedError(SkipReason.TOO_LARGE, str(error)) from error
    except UnidentifiedImageError as error:
        raise SkippedError(SkipReason.NOT_AN_IMAGE, "no image format recognised") from error
    except Exception as error:  # Plugins raise anything, from struct.error to IndexError, on hostile bytes.
        raise SkippedError(_reason(error), f"{type(error).__name__}: {error}") from error


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height, pixels, after the EXIF orientation is applied."""
    return (image.height, image.width) if _orientation(image) >= 5 else image.size


def fitted(image: Image.Image, image_size: int, fit: str, box: Box | None = None) -> Image.Image:
    """The picture upright, over white, as 8-bit L or RGB, scaled to fit a square; call it once per `open_image`.

    Args:
        image: as `open_image` gives it.
        image_size: side S of the square, pixels.
        fit: ``"pad"`` keeps the proportions, ``"stretch"`` gives S x S.
        box: the part to scale; None: the whole.
    """
    full, orientation = image.size, _orientation(image)
    part = (0.0, 0.0, *map(float, full)) if box is None else _stored_box(box, upright_size(image), orientation)
    part_width, part_height = part[2] - part[0], part[3] - part[1]
    width, height = _fitted_size((part_width, part_height), image_size, fit)
    # JPEG can be decoded at 1/2, 1/4 or 1/8. At twice the wanted size, the last halving is left to the resampling.
    wanted = (ceil(2 * width * full[0] / part_width), ceil(2 * height * full[1] / part_height))
    drafted = image.draft(None, wanted)
    shrunk = full[0] / drafted[1][2] if drafted is not None else 1.0  # a power of two: the division below is exact
    image.load()

    left, top, right, bottom = (edge / shrunk for edge in part)
    small = _without_alpha(image).resize((width, height), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return small.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else small


def as_square(picture: Image.Image, image_size: int) -> Image.Image:
    """`picture` in the middle of a black RGB square of side S."""
    square = Image.new("RGB", (image_size, image_size))
    square.paste(picture, ((image_size - picture.width) // 2, (image_size - picture.height) // 2))
    return square


def _reason(error: Exception) -> SkipReason:
    message = str(error).lower()
    if isinstance(error, EOFError) or "truncated" in message or "not enough image data" in message:
        return SkipReason.TRUNCATED
    if isinstance(error, OSError) and error.errno is not None:
        return SkipReason.UNREADABLE
    return SkipReason.UNDECODABLE


def _check(image: Image.Image, first_frame: bool) -> None:
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:  # Pillow itself raises only above twice the limit, and warns below.
        raise SkippedError(SkipReason.TOO_LARGE, f"{image.width}x{image.height} pixels, the limit is {limit} in all")
    if image.format == "EPS":
        raise SkippedError(SkipReason.UNDECODABLE, "EPS is a program for Ghostscript, not pixels")
    if not first_frame and image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False):
        raise SkippedError(SkipReason.ANIMATED, f"animated {image.format}")


def _fitted_size(size: tuple[float, float], image_size: int, fit: str) -> tuple[int, int]:
    if fit == "stretch":
        return image_size, image_size
    ratio = image_size / max(size)
    # Truncated as in the Zalo motorbike article, so that a longer side of 49, 98 or 103 pixels becomes 127, not 128.
    return max(1, int(size[0] * ratio)), max(1, int(size[1] * ratio))


def _stored_box(box: Box, upright: tuple[int, int], orientation: int) -> Box:
    """Where `box` of the upright picture lies among the pixels as they are stored."""
    left, top, right, bottom = box
    if orientation in (2, 3, 6, 7):
        left, right = upright[0] - right, upright[0] - left
    if orientation in (3, 4, 7, 8):
        top, bottom = upright[1] - bottom, upright[1] - top
    return (top, left, bottom, right) if orientation >= 5 else (left, top, right, bottom)


def _without_alpha(image: Image.Image) -> Image.Image:
    """The image as 8-bit L or RGB, over white."""
    if image.mode == "F":
        raise SkippedError(SkipReason.UNDECODABLE, "floating-point pixels have no agreed range")
    if image.mode.startswith("I"):
        return _eight_bit(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey (modes I;16, I;16B, and I as PGM has it) as L; Pillow's own convert clips at 255."""
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > 65535:
        raise SkippedError(SkipReason.UNDECODABLE, "32-bit integer pixels have no agreed range")
    grey = ((values + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 for TIFF, whose size is upright and whose pixels Pillow turns when it loads."""
    if image.format == "TIFF":
        return 1
    if image.format == "PNG":
        image.load()  # EXIF may follow the pixels: getexif would load them, and the except below would hide damage
    try:
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # A photograph with damaged EXIF can be used as it is stored.
        return 1
    return orientation if orientation in _UPRIGHT else 1
