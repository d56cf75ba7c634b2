"""Numbers that describe a picture: how colourful its border is, and what similar pictures are found by."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Share of the width and height that counts as border, on each side.
BORDER = 0.1


def border_colourfulness(picture: Image.Image) -> float:
    """Colourfulness of the background, by the measure of Hasler and Süsstrunk 2003 (M3, "Measuring colourfulness in
    natural images"), on the outer 10 % of the picture at each side, where the background of a centred object is.

    With rg = R - G and yb = (R + G) / 2 - B it is the deviation of (rg, yb) plus 0.3 of the length of their mean. The
    paper's words for whole photographs: 0 not colourful, 15 slightly, 33 moderately, 45 averagely, 59 quite, 82 highly,
    109 extremely. A plain white, grey or black ground gives 0; a busy or coloured one gives a high value.

    Args:
        picture: L or RGB, without bars.
    """
    red, green, blue = np.asarray(picture.convert("RGB")).astype(np.float64).transpose(2, 0, 1)
    border = np.ones(red.shape, bool)
    rows, columns = (max(1, round(BORDER * side)) for side in red.shape)
    border[rows:-rows, columns:-columns] = False
    rg, yb = (red - green)[border], ((red + green) / 2 - blue)[border]
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def perceptual_hash(picture: Image.Image) -> int:
    """64 bits that survive scaling and recompression: which of the 8x8 lowest frequencies are above the median.

    The pHash of Zauner 2010 ("Implementation and benchmarking of perceptual image hash functions"): grey, 32x32,
    discrete cosine transform. 300 drawn motorbikes, recompressed at quality 40 to 90 and scaled to 0.3 to 1: at most 4
    bits change; a difference hash (dHash) of the same size changes up to 7.
    """
    grey = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BOX)).astype(np.float64)
    # Rounded, since the frequencies of a plain ground are zero except for rounding errors.
    low = (_COSINES @ grey @ _COSINES.T).round(3).ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def colour_thumbnail(picture: Image.Image) -> bytes:
    """The picture at 8x8 in RGB, 192 bytes: the hash is grey and cannot tell a red motorbike from a blue one."""
    return picture.convert("RGB").resize((8, 8), Image.Resampling.BOX).tobytes()


def _cosines() -> NDArray[np.float64]:
    """The 8 lowest of the 32 basis vectors of the discrete cosine transform, as rows."""
    k, x = np.arange(8)[:, None], np.arange(32)[None]
    return np.cos(np.pi * k * (2 * x + 1) / 64)


_COSINES = _cosines()
