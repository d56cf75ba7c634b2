"""One pass over the real images: shuffled, sliced per rank, augmented."""

from collections.abc import Iterator

from torch import Tensor

from trainers.assets import Images
from trainers.config import DataConfig
from trainers.data import augment, to_unit_range, upload_epoch
from trainers.distributed import my_slice
from trainers.randomness import GlobalRandom


def augmented_batches(images: Images, data: DataConfig, random: GlobalRandom) -> Iterator[tuple[Tensor, Tensor]]:
    """This rank's share of each whole batch; the last incomplete one is left out.

    Yields:
        Images ``[B, 3, S, S]`` in [-1, 1] on their device, and their indices ``[B]`` int64 on the CPU.
    """
    steps = len(images) // data.batch_size
    order = random.permutation(len(images))[: steps * data.batch_size].view(steps, data.batch_size)
    mine = order[:, my_slice(data.batch_size)]
    # All draws of the epoch at once, so that a GPU gets them in one copy that nobody waits for.
    draws = upload_epoch([random.augmentation(data.batch_size, data) for _ in range(steps)], images.device)
    for indices, drawn, batch in zip(mine, draws, images.stream(mine), strict=True):
        yield augment(to_unit_range(batch), drawn), indices
