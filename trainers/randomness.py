"""Random numbers of the global batch, of which each rank keeps its slice.

Every epoch reseeds from (seed, epoch): a run resumed at an epoch, on any number of ranks, sees the same numbers as one
that was never interrupted, and nothing that happens between epochs (FID, samples) can shift them. One that is resumed
inside an epoch has the states from its checkpoint.
"""

import hashlib
from typing import Any

import torch
from torch import Tensor

from trainers.config import DataConfig
from trainers.data import Augmentation, draw_augmentation
from trainers.distributed import my_slice


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class GlobalRandom:
    """Draws the same numbers on all ranks and gives each rank its slice.

    Args:
        seed: of the run.
        device: where noise is drawn; orders and augmentations are drawn on the CPU.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed = seed
        self._noise = torch.Generator(device)
        self._choices = torch.Generator()

    def start_epoch(self, epoch: int) -> None:
        """Reseed everything, torch's own generator (dropout) included."""
        for purpose, generator in (("noise", self._noise), ("choices", self._choices)):
            generator.manual_seed(derive_seed(self._seed, epoch, purpose))
        torch.manual_seed(derive_seed(self._seed, epoch, "torch"))

    def state_dict(self) -> dict[str, Any]:
        """Where the numbers of an epoch are; the same on every rank, each of which draws for all."""
        cuda = self._noise.device.type == "cuda"
        return {
            "noise": self._noise.get_state(),
            "choices": self._choices.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self._noise.device) if cuda else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, on a device of the same kind."""
        self._noise.set_state(state["noise"].cpu())
        self._choices.set_state(state["choices"].cpu())
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"].cpu(), self._noise.device)

    def permutation(self, n: int) -> Tensor:
        """An order of `n` items, int64 [n], the same on every rank."""
        return torch.randperm(n, generator=self._choices)

    def normal(self, total: int, *shape: int) -> Tensor:
        """This rank's share of `total` standard normal tensors of `shape`: ``[total / ranks, *shape]``."""
        whole = torch.randn(total, *shape, generator=self._noise, device=self._noise.device)
        return whole[my_slice(total)]

    def uniform(self, total: int, *shape: int) -> Tensor:
        """This rank's share of `total` tensors of `shape`, uniform in [0, 1): ``[total / ranks, *shape]``."""
        whole = torch.rand(total, *shape, generator=self._noise, device=self._noise.device)
        return whole[my_slice(total)]

    def choice(self, n: int, total: int) -> Tensor:
        """This rank's share of `total` numbers from 0 to n - 1, int64 ``[total / ranks]`` on the CPU."""
        return torch.randint(n, (total,), generator=self._choices)[my_slice(total)]

    def index(self, n: int) -> int:
        """One number from 0 to n - 1, the same on every rank."""
        return int(torch.randint(n, (), generator=self._choices))

    def chance(self) -> float:
        """One number uniform in [0, 1), the same on every rank."""
        return torch.rand((), generator=self._choices, dtype=torch.float64).item()

    def augmentation(self, total: int, data: DataConfig) -> Augmentation:
        """This rank's share of the augmentations of a batch of `total`."""
        return draw_augmentation(total, data, self._choices)[my_slice(total)]


def fixed_latents(count: int, latent_dim: int, sigma: float, *, seed: int, purpose: str) -> Tensor:
    """``[count, latent_dim]`` latents on the CPU that depend on the arguments alone."""
    generator = torch.Generator().manual_seed(derive_seed(seed, purpose))
    return torch.randn(count, latent_dim, generator=generator) * sigma


def fixed_choices(n: int, count: int, *, seed: int, purpose: str) -> Tensor:
    """``[count]`` int64 numbers from 0 to n - 1 on the CPU that depend on the arguments alone."""
    return torch.randint(n, (count,), generator=torch.Generator().manual_seed(derive_seed(seed, purpose)))
