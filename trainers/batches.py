"""One pass over the real images: shuffled, sliced per rank, augmented."""

from collections.abc import Iterator

from torch import Tensor

from trainers.assets import Images
from trainers.config import DataConfig
from trainers.data import augment, to_unit_range
from trainers.distributed import my_slice
from trainers.randomness import GlobalRandom


def augmented_batches(images: Images, data: DataConfig, random: GlobalRandom) -> Iterator[tuple[Tensor, Tensor]]:
    """This rank's share of each whole batch; the last incomplete one is left out.

    Yields:
        Images ``[B, 3, S, S]`` in [-1, 1] on their device, and their indices ``[B]`` int64 on the CPU.
    """
    order = random.permutation(len(images))
    for step in range(len(images) // data.batch_size):
        mine = order[step * data.batch_size : (step + 1) * data.batch_size][my_slice(data.batch_size)]
        yield augment(to_unit_range(images.batch(mine)), random.augmentation(data.batch_size, data)), mine
