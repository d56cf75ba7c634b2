"""Published weights, downloaded once to where torch hub keeps them."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import torch
from filelock import FileLock

from trainers.atomic import replacing
from trainers.errors import UserError, first_line

# For the connection and for each read, so that a machine without internet fails soon. torch.hub's own download has no
# timeout.
TIMEOUT_SECONDS = 10


class DownloadError(UserError):
    """``downloading URL failed (reason)``; the caller adds what to do about it.

    Attributes:
        url: of the file.
        target: where it would be.
        reason: one line.
    """

    def __init__(self, url: str, target: Path, reason: str) -> None:
        super().__init__(url, target, reason)  # unpickling calls this with all three
        self.url, self.target, self.reason = url, target, reason

    def __str__(self) -> str:
        return f"downloading {self.url} failed ({self.reason})"


def hub_target(url: str) -> Path:
    """Where torch hub's cache has the file of `url`, or would have it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def hub_file(url: str, sha256: str) -> Path:
    """The file of `url` in torch hub's cache, downloaded when missing. A file that is there already is not checked.

    Several processes may call this at once: one downloads, the others wait. The file appears whole or not at all.

    Args:
        url: its last part is the file's name.
        sha256: of the content, hex; all its digits or the first ones.

    Raises:
        DownloadError: no answer within TIMEOUT_SECONDS, an answer of other bytes, or a cache that cannot be written.
    """
    target = hub_target(url)
    if not target.is_file():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{target}.lock"):
                if not target.is_file():  # else another process was faster
                    _download(url, target, sha256)
        except (OSError, HTTPException) as error:
            raise DownloadError(url, target, first_line(error)) from error
    return target


def _download(url: str, target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with replacing(target) as part:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as response, part.open("wb") as file:
            while block := response.read(1 << 20):
                digest.update(block)
                file.write(block)
        if not digest.hexdigest().startswith(sha256):
            raise OSError(f"got other bytes: SHA-256 {digest.hexdigest()}")
