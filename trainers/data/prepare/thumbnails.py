"""Small pictures for reports, also of truncated files as far as they can be decoded."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFile

from trainers.data.decode import SkippedError, fitted, open_image

# Longer side, pixels; about 3 kB as JPEG.
SIDE = 112


@contextmanager
def forgiving() -> Iterator[None]:
    """Let Pillow decode truncated files. This holds for the whole process: no thread may decode images to keep."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def thumbnail(source: Path | bytes, side: int = SIDE) -> Image.Image | None:
    """The picture, RGB, its longer side `side` pixels; None when it cannot be decoded at all."""
    try:
        with open_image(source, first_frame=True) as image:
            return fitted(image, side, "pad").convert("RGB")
    except SkippedError:
        return None


def data_uri(picture: Image.Image) -> str:
    """The picture as a JPEG data URI, for an HTML page."""
    content = BytesIO()
    picture.save(content, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{b64encode(content.getvalue()).decode()}"
