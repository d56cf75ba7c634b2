"""What schemathesis sends as an image; by itself it sends any bytes. It imports this by SCHEMATHESIS_HOOKS."""

import struct
import zlib
from io import BytesIO

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def photograph(size: tuple[int, int] = (50, 30), form: str = "PNG") -> bytes:
    """A file of a grey gradient."""
    file = BytesIO()
    Image.linear_gradient("L").convert("RGB").resize(size).save(file, form, lossless=True)
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A small PNG file whose header says that it is of this size."""
    content = photograph()
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


for name in ("jpeg", "png", "webp"):
    files = [photograph(size, name.upper()) for size in ((1, 1), (9, 700), (50, 30))]
    schemathesis.openapi.media_type(f"image/{name}", st.sampled_from(files))
