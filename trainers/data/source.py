"""Where the images of a cache come from: a folder of files, or a dataset that `prepare` wrote."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from trainers.data.files import find_files, hash_file, require_folder, text_name
from trainers.data.manifest import find_manifest
from trainers.data.shards import read_images


class ImageSource(Protocol):
    """What `build_cache` decodes."""

    total: int  # items that `items` will give

    def key(self, pool: ThreadPoolExecutor) -> bytes:
        """Bytes that identify the relative paths and contents."""
        ...

    def items(self) -> Iterator[tuple[str, Path | bytes]]:
        """Relative path, and the file or its content."""
        ...

    def contents(self) -> Iterator[bytes]:
        """A hash of the content of each item, in order and read one by one."""
        ...


class Folder:
    """Every file below a folder."""

    def __init__(self, root: Path) -> None:
        self._root, self._files = root, find_files(root)
        self.total = len(self._files)

    def key(self, pool: ThreadPoolExecutor) -> bytes:
        """SHA-256 over names and contents, read by all threads."""
        digest = hashlib.sha256()
        paths = [self._root / file for file in self._files]
        for file, content in zip(self._files, pool.map(hash_file, paths), strict=True):
            name = os.fsencode(file)
            digest.update(len(name).to_bytes(4, "little") + name + content)
        return digest.digest()

    def items(self) -> Iterator[tuple[str, Path | bytes]]:
        """In the order of their names."""
        for file in self._files:
            yield text_name(file), self._root / file

    def contents(self) -> Iterator[bytes]:
        """SHA-256 of each file."""
        return (hash_file(self._root / file) for file in self._files)


class PreparedFolder:
    """The images of a prepared dataset; their paths are those of the files that they were made from."""

    def __init__(self, root: Path, images: int, content_sha256: str) -> None:
        self._root, self._content = root, content_sha256
        self.total = images

    def key(self, pool: ThreadPoolExecutor) -> bytes:
        """From the manifest: nothing is read again."""
        return b"prepared" + bytes.fromhex(self._content)

    def items(self) -> Iterator[tuple[str, Path | bytes]]:
        """In the order of the shards."""
        return read_images(self._root)

    def contents(self) -> Iterator[bytes]:
        """SHA-256 of each PNG."""
        return (hashlib.sha256(png).digest() for _, png in read_images(self._root))


def open_source(root: Path) -> ImageSource:
    """The images of `root`, a folder or a prepared dataset.

    Raises:
        UserError: it is missing, not a readable folder, or a dataset that is unfinished or damaged.
    """
    require_folder(root)
    manifest = find_manifest(root)
    return Folder(root) if manifest is None else PreparedFolder(root, manifest.images, manifest.content_sha256)
