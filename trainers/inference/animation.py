"""Animations: GIF by Pillow, MP4 by PyAV."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from trainers.atomic import replacing
from trainers.errors import UserError
from trainers.inference.image_files import Pixels

RATE = 25  # frames per second: GIF counts hundredths of a second


def check_video() -> None:
    """Check that MP4 can be written.

    Raises:
        UserError: PyAV is missing.
    """
    if find_spec("av") is None:
        raise UserError("--mp4 needs PyAV: pip install 'gan-sweep[video]'; --gif needs nothing")


def save_animation(
    path: Path, frames: Iterable[Pixels], *, times: int = 1, last: int = 1, tell: Callable[[int], None] | None = None
) -> None:
    """Write pictures of one size, ``[H, W, 3]``, as an endless ``.gif`` or an ``.mp4``, whole or not at all.

    Args:
        path: decides the format by its suffix.
        frames: at least one.
        times: how many 25ths of a second each is shown.
        last: how many times as long the last is.
        tell: called with the number of frames done.

    Raises:
        UserError: MP4 without PyAV.
        OSError: the file cannot be written.
    """
    told = _told(frames, tell)
    with replacing(path) as part:
        if path.suffix == ".gif":
            _save_gif(part, told, times, last)
        else:
            check_video()
            _save_mp4(part, told, times, last)


def _told(frames: Iterable[Pixels], tell: Callable[[int], None] | None) -> Iterator[tuple[Pixels, bool]]:
    """Each frame, and whether it is the last."""
    coming = iter(frames)
    frame, done = next(coming), 0
    while True:
        following = next(coming, None)
        done += 1
        if tell is not None:
            tell(done)
        yield frame, following is None
        if following is None:
            return
        frame = following


def _save_gif(path: Path, frames: Iterator[tuple[Pixels, bool]], times: int, last: int) -> None:
    def images() -> Iterator[Image.Image]:
        for pixels, is_last in frames:
            # Colours of its own for every frame: one palette for all would leave each few.
            image = Image.fromarray(pixels).quantize(256)
            image.info["duration"] = 1000 // RATE * times * (last if is_last else 1)  # milliseconds
            yield image

    first, *others = chain(images())
    first.save(path, "GIF", save_all=True, append_images=others, loop=0)


def _save_mp4(path: Path, frames: Iterator[tuple[Pixels, bool]], times: int, last: int) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = None
        for pixels, is_last in frames:
            pixels = _even(pixels)
            if stream is None:
                stream = container.add_stream("libx264", rate=RATE, options={"crf": "16"})
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"  # what browsers play
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            for _ in range(times * (last if is_last else 1)):
                container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode())


def _even(pixels: Pixels) -> Pixels:
    """With a black row or column more where a side is odd, as yuv420p wants it."""
    high, wide, _ = pixels.shape
    return np.pad(pixels, ((0, high % 2), (0, wide % 2), (0, 0)))
