"""One image file in, one uint8 square out; or the reason why not."""

import os
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from trainers.errors import UserError

FITS = ("pad", "stretch")

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
    ANIMATED = "animated"  # more than one frame: document 001 lists GIFs among the faults of its 10,000 files
    TRUNCATED = "truncated"  # ends before its last pixel
    TOO_LARGE = "too_large"  # more pixels than Pillow thinks safe
    UNREADABLE = "unreadable"  # no permission, dangling link, not a regular file
    UNDECODABLE = "undecodable"  # everything else


class SkippedError(Exception):
    """The file cannot be used; `reason` for counting, `detail` for people."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def find_files(root: Path) -> list[str]:
    """Every file below `root` as a sorted relative posix path, whatever its name ends with.

    Hidden files and folders are left out. Links to folders are followed; each folder is read once, so loops end.

    Raises:
        UserError: when a folder cannot be read.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    try:
        for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_raise):
            status = os.stat(folder)
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                subfolders.clear()
                continue
            seen.add(identity)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            relative = Path(folder).relative_to(root)
            found += [(relative / name).as_posix() for name in names if not name.startswith(".")]
    except OSError as error:
        raise UserError(f"cannot read the folder {error.filename}: {error.strerror}") from error
    return sorted(found)


def decode_image(path: Path, image_size: int, fit: str) -> NDArray[np.uint8]:
    """Decode one file of any format that Pillow reads.

    Transparency is composited over white, the ground that photographs of products are cut out from; only the bars
    of ``pad`` are black. 16-bit grey is divided by 257. The EXIF orientation is applied.

    Args:
        path: the file.
        image_size: side S of the result, pixels.
        fit: ``"pad"`` scales the longer side to S, centres, and leaves black bars (`padding_image` of document 001,
            with sizes rounded where that truncates); ``"stretch"`` fills the square.

    Returns:
        [3, S, S] RGB.

    Raises:
        SkippedError: the file gives no image.
    """
    assert fit in FITS, fit
    # Pillow registers rare formats lazily, and of two threads that both need that, one may be told "not an image".
    Image.init()
    try:
        if not path.is_file():
            raise SkippedError(SkipReason.UNREADABLE, "not a regular file")
        if path.stat().st_size == 0:
            raise SkippedError(SkipReason.EMPTY, "zero bytes")
        with Image.open(path) as image:
            return _decode(image, image_size, fit)
    except SkippedError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise SkippedError(SkipReason.TOO_LARGE, str(error)) from error
    except UnidentifiedImageError as error:
        raise SkippedError(SkipReason.NOT_AN_IMAGE, "no image format recognised") from error
    except Exception as error:  # Plugins raise anything, from struct.error to IndexError, on hostile bytes.
        raise SkippedError(_reason(error), f"{type(error).__name__}: {error}") from error


def _raise(error: OSError) -> None:
    raise error


def _reason(error: Exception) -> SkipReason:
    message = str(error).lower()
    if isinstance(error, EOFError) or "truncated" in message or "not enough image data" in message:
        return SkipReason.TRUNCATED
    if isinstance(error, OSError) and error.errno is not None:
        return SkipReason.UNREADABLE
    return SkipReason.UNDECODABLE


def _decode(image: Image.Image, image_size: int, fit: str) -> NDArray[np.uint8]:
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:  # Pillow itself raises only above twice the limit, and warns below.
        raise SkippedError(SkipReason.TOO_LARGE, f"{image.width}x{image.height} pixels, the limit is {limit} in all")
    if image.format == "EPS":
        raise SkippedError(SkipReason.UNDECODABLE, "EPS is a program for Ghostscript, not pixels")
    if image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False):
        raise SkippedError(SkipReason.ANIMATED, f"animated {image.format}")

    # JPEG can be decoded at 1/2, 1/4 or 1/8. Staying at twice the wanted size leaves the last halving to Lanczos.
    width, height = _fitted(image.size, image_size, fit)
    drafted = image.draft(None, (2 * width, 2 * height))
    box = drafted[1] if drafted is not None else (0, 0, *image.size)
    image.load()  # TIFF turns its pixels upright here, and then has no orientation left

    small = _without_alpha(image).resize((width, height), Image.Resampling.LANCZOS, box=box)
    turn = _UPRIGHT.get(_orientation(image))
    if turn is not None:
        small = small.transpose(turn)
    square = Image.new("RGB", (image_size, image_size))
    square.paste(small, ((image_size - small.width) // 2, (image_size - small.height) // 2))
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _fitted(size: tuple[int, int], image_size: int, fit: str) -> tuple[int, int]:
    if fit == "stretch":
        return image_size, image_size
    scale = image_size / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


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
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # A photograph with damaged EXIF is still a photograph, the way round that it is stored.
        return 1
