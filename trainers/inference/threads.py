"""All cores for a generator: batches side by side on a CPU, and whatever goes along with them."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TypeVar

import torch

from trainers.data.pool import cores, in_order
from trainers.inference.finished import FinishedGenerator

Item = TypeVar("Item")
Result = TypeVar("Result")

# Images of a batch. On a CPU a batch of 64 falls out of the caches: 545 images/s instead of 732 (32 px, float64). Every
# core has a batch there, so large images come in smaller ones.
GPU_BATCH, CPU_BATCH, CPU_PIXELS = 64, 16, 16 * 128**2


class Threads:
    """Threads for one generator; see `threads_for`.

    Attributes:
        pool: of one thread per core.
        batch_size: images that the generator best makes at once.
        generating_s: in which the generator worked: wall time on a GPU, CPU time of all threads on a CPU.
    """

    def __init__(self, pool: ThreadPoolExecutor, generator: FinishedGenerator) -> None:
        self.pool, self._on_cpu = pool, generator.device.type == "cpu"
        on_cpu = max(1, min(CPU_BATCH, CPU_PIXELS // generator.image_size**2))
        self.batch_size = on_cpu if self._on_cpu else GPU_BATCH
        self.generating_s = 0.0

    def generate(self, make: Callable[[Item], Result], batches: Iterable[Item]) -> Iterator[Result]:
        """`make` of every batch, in order: in the threads on a CPU, here on a GPU."""
        clock = time.thread_time if self._on_cpu else time.perf_counter

        def timed(batch: Item) -> tuple[Result, float]:
            began = clock()
            return make(batch), clock() - began

        here = (timed(batch) for batch in batches)
        with closing(in_order(self.pool, timed, batches, 2 * cores()) if self._on_cpu else here) as made:
            for result, seconds in made:
                self.generating_s += seconds
                yield result


@contextmanager
def threads_for(generator: FinishedGenerator) -> Iterator[Threads]:
    """Threads for a generator, one per core; each computes by itself.

    A batch per thread instead of all threads on one batch: those would wait for each other at the end of every layer,
    and where others use the cores too, all of them for the slowest (32 px, 2 cores at a load of 7: 121 images/s
    instead of 545 with one thread).
    """
    before = torch.get_num_threads()
    with ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield Threads(pool, generator)
        finally:
            torch.set_num_threads(before)
