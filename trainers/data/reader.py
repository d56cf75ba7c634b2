"""ImageCache: a folder of images, decoded once, memory-mapped by every process that trains on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.data.cache_report import BuildReport, report_path
from trainers.errors import UserError, first_line


class ImageCache:
    """Decoded images in an Arrow IPC file, mapped read-only: processes share its pages; a pickle holds its path."""

    def __init__(self, path: Path, report: BuildReport, chunks: list[NDArray[np.uint8]]) -> None:
        self.path = path
        self.report = report
        self._chunks = chunks  # views of the mapping, [rows, 3*S*S] each; all but the last have the same length

    @classmethod
    def open(cls, path: Path) -> "ImageCache":
        """Map a cache that `build_cache` wrote. Reads the footer and the report, not the pixels.

        Raises:
            UserError: the file or its report is missing or damaged, or they do not belong together.
        """
        try:
            report = BuildReport.load(report_path(path))
            chunks = _map_chunks(path, 3 * report.image_size**2)
            rows = [len(chunk) for chunk in chunks]
            if not rows or sum(rows) != report.usable or any(n != rows[0] for n in rows[:-1]) or rows[-1] > rows[0]:
                raise ValueError(f"{sum(rows)} images where the report has {report.usable}")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, pa.ArrowException) as error:
            raise UserError(f"{path} is not a complete image cache: {first_line(error)}") from error
        return cls(path, report, chunks)

    def __reduce__(self) -> tuple[Callable[..., "ImageCache"], tuple[Any, ...]]:
        return ImageCache.open, (self.path,)

    def __len__(self) -> int:
        return self.report.usable

    @property
    def image_size(self) -> int:
        """Side S, pixels."""
        return self.report.image_size

    @property
    def digest(self) -> str:
        """Key of the content: relative paths, bytes, image size and fit."""
        return self.report.digest

    def paths(self) -> list[str]:
        """Where each image came from: posix path relative to the source folder, in the images' order."""
        reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
        return [
            name for i in range(reader.num_record_batches) for name in reader.get_batch(i).column("path").to_pylist()
        ]

    def gather(self, indices: Tensor | NDArray[np.int64]) -> Tensor:
        """Copy images out, in the order asked for.

        Args:
            indices: int64 [B].

        Returns:
            uint8 [B, 3, S, S].

        Raises:
            IndexError: an index is negative or not below the length.
        """
        index = indices.numpy(force=True) if isinstance(indices, Tensor) else np.asarray(indices)
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise IndexError(f"indices must be a vector of integers, got {index.dtype} of shape {index.shape}")
        if index.size and (index.min() < 0 or index.max() >= len(self)):
            raise IndexError(f"indices must lie in [0, {len(self)}), got {index.min()} to {index.max()}")
        images = np.empty((len(index), 3 * self.image_size**2), np.uint8)
        numbers, rows = np.divmod(index, len(self._chunks[0]))
        # One copy per image, since indices are random: fancy indexing per chunk copies twice (128 px, 512 images:
        # 15 ms here, 86 ms there).
        for i, (number, row) in enumerate(zip(numbers.tolist(), rows.tolist(), strict=True)):
            images[i] = self._chunks[number][row]
        return torch.from_numpy(images).view(-1, 3, self.image_size, self.image_size)

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """All images in order, as uint8 [b, 3, S, S] where b is `batch_size` except perhaps at the end."""
        for start in range(0, len(self), batch_size):
            yield self.gather(np.arange(start, min(start + batch_size, len(self))))


def _map_chunks(path: Path, image_bytes: int) -> list[NDArray[np.uint8]]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if not reader.schema.equals(pa.schema([("image", pa.binary(image_bytes)), ("path", pa.string())])):
        raise ValueError(f"its columns are not images of {image_bytes} bytes and their paths")
    chunks = []
    for i in range(reader.num_record_batches):
        batch = reader.get_batch(i)
        batch.validate(full=True)  # offsets of the paths too: a wrong one would be read as it is
        column = batch.column("image")
        chunks.append(np.frombuffer(column.buffers()[1], np.uint8, len(batch) * image_bytes).reshape(-1, image_bytes))
    return chunks
