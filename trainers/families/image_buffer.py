"""A history of fakes for D (Shrivastava et al. 2017, arXiv:1612.07828; 50 images in CycleGAN, arXiv:1703.10593)."""

from typing import Any

import torch
from torch import Tensor

from trainers.distributed import gather_batch, my_slice, world_size
from trainers.randomness import GlobalRandom


class ImageBuffer:
    """Stores fakes until it is full; then returns each fake, or with probability 1/2 swaps it for an older one.

    Every rank holds the whole buffer, so that a run does not depend on how many ranks share it.

    Args:
        size: how many images it stores; with 0 every fake is returned.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._images: Tensor | None = None  # [n, 3, S, S], n up to size

    @torch.no_grad()
    def exchange(self, fakes: Tensor, random: GlobalRandom) -> Tensor:
        """Return as many fakes as given, ``[B, 3, S, S]`` of this rank, each new or older."""
        if self._size == 0:
            return fakes
        total = fakes.shape[0] * world_size()
        everyone = gather_batch(fakes).clone()
        stored = everyone[:0] if self._images is None else self._images
        for number in range(total):
            place, coin = random.index(self._size), random.chance()
            if len(stored) < self._size:
                stored = torch.cat([stored, everyone[number : number + 1]])
            elif coin < 0.5:
                older = stored[place].clone()
                stored[place] = everyone[number]
                everyone[number] = older
        self._images = stored
        return everyone[my_slice(total)]

    def state_dict(self) -> dict[str, Any]:
        """The stored fakes."""
        return {"images": self._images}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._images = state["images"]
