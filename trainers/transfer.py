"""From the host to the device without waiting."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor


def upload(host: Tensor, device: torch.device) -> Tensor:
    """`host` (any shape, on the CPU) on `device`; the host goes on at once.

    A copy to a GPU waits for the GPU's earlier work unless its source is pinned. torch keeps pinned memory for later
    copies of the same size, and reuses it only when this one is done. On the CPU: `host` itself.
    """
    if device.type == "cuda":
        host = host.pin_memory()
    return host.to(device, non_blocking=True)


def upload_rows(host: Tensor, rows: Tensor, device: torch.device) -> Tensor:
    """`host[rows]` on `device`; both lie on the CPU."""
    return upload(host[rows], device)


def prefetched(
    gather: Callable[[Tensor], Tensor], requests: Iterable[Tensor], device: torch.device
) -> Iterator[Tensor]:
    """``gather(request)`` on `device` for each request, in order; one batch ahead of the one that is in use.

    A thread gathers; on a GPU a stream of its own copies, so that the copy overlaps with the training of the batch
    before. An exception of `gather` is raised where its batch was due.

    Args:
        gather: gives a batch on the CPU; called in the thread, one call at a time.
        requests: what to ask `gather` for.
        device: where batches go.
    """
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def fetch(request: Tensor) -> Tensor:
        with torch.cuda.stream(stream):  # None: no effect
            return upload(gather(request), device)

    with ThreadPoolExecutor(1, "prefetch") as pool:
        remaining = iter(requests)
        first = next(remaining, None)
        coming = None if first is None else pool.submit(fetch, first)
        while coming is not None:
            batch = coming.result()
            if stream is not None:
                current = torch.cuda.current_stream(device)
                current.wait_stream(stream)
                batch.record_stream(current)  # its memory is the copying stream's, and `current` still reads it
            request = next(remaining, None)
            coming = None if request is None else pool.submit(fetch, request)
            yield batch
