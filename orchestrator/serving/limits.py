"""What one server takes at most."""

from dataclasses import dataclass

from trainers.inference.finished import MOST_AT_ONCE

COUNT = 64  # images per request
JSON_BYTES = 64 * 1024  # of a request's body


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a server; what is beyond them is answered with 4xx or 503, never queued without end.

    Attributes:
        batch: images that the device computes at once.
        wait_s: how long the first image of a batch waits for others, seconds. While the device computes, more come
            anyway.
        waiting: images that wait for the device.
        in_flight: requests that are read, computed or encoded.
        request_s: for one request, seconds, its body and its wait included.
        picture_bytes: of an image to translate, as it is sent.
        picture_pixels: of it when it is decoded.
    """

    batch: int = MOST_AT_ONCE
    wait_s: float = 0.002
    waiting: int = 512
    in_flight: int = 128
    request_s: float = 60.0
    picture_bytes: int = 16 * 1024 * 1024
    picture_pixels: int = 50_000_000
