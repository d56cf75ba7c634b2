"""The few collectives that GAN training needs; every one is the identity when there is one rank.

Randomness is drawn for the GLOBAL batch on every rank from equally seeded generators and each rank keeps its slice,
so a run does not depend on how many ranks share it.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainers.errors import UserError


def world_size() -> int:
    """Ranks that train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process among the ranks, from 0; 0 without a process group."""
    return dist.get_rank() if dist.is_initialized() else 0


def my_slice(total: int) -> slice:
    """This rank's part of `total` items of a global batch.

    Raises:
        AssertionError: when `total` is not a multiple of the world size (a launch refuses it before, with a UserError).
    """
    assert total % world_size() == 0, f"{total} items over {world_size()} ranks"
    per_rank = total // world_size()
    return slice(rank() * per_rank, (rank() + 1) * per_rank)


class _AllReduceSum(torch.autograd.Function):
    """Sum over ranks whose gradient is summed over ranks as well: every rank's loss depends on every input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _AllReduceSum.apply(grads[0])


def all_reduce_sum(x: Tensor) -> Tensor:
    """Differentiable sum of `x` (any shape) over the ranks."""
    return _AllReduceSum.apply(x) if world_size() > 1 else x


def batch_mean(x: Tensor) -> Tensor:
    """Differentiable mean of `x` over the global batch (equal shares per rank). Returns a scalar."""
    return all_reduce_sum(x.mean()) / world_size()


def gather_batch(x: Tensor) -> Tensor:
    """Differentiable: each rank's share ``[b, ...]`` to the global batch ``[B, ...]`` in rank order (equal shares).

    Gradients are summed over the ranks, because every rank's loss may depend on every image.
    """
    if world_size() == 1:
        return x
    shares = [x if other == rank() else torch.zeros_like(x) for other in range(world_size())]
    return all_reduce_sum(torch.cat(shares))


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by its mean over the ranks, in one flat all-reduce.

    DistributedDataParallel is not used: it neither follows a second derivative (gradient penalties) nor a D that runs
    twice per backward and is frozen in G's step. One flat reduction after the backward handles both (as in StyleGAN3).
    """
    if world_size() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= world_size()
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def broadcast_object(value: Any) -> Any:
    """Rank 0's `value` on every rank (pickled; small things only)."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """Raise a UserError of one rank on every rank, so that no rank waits for one that has stopped.

    The body must not run collectives; every rank must enter it.
    """
    mine: UserError | None = None
    try:
        yield
    except UserError as error:
        mine = error
    texts = [None if mine is None else str(mine)]
    if world_size() > 1:
        texts *= world_size()
        dist.all_gather_object(texts, None if mine is None else str(mine))
    if mine is not None:
        raise mine
    for text in texts:
        if text is not None:
            raise UserError(text)


def average_buffers(module: nn.Module) -> None:
    """Replace BatchNorm's running statistics, of which each rank has its own, by their means over the ranks."""
    if world_size() == 1:
        return
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.copy_(mean_over_ranks(buffer))


def any_rank(mine: bool, device: torch.device) -> bool:
    """Whether `mine` is true on at least one rank; the same answer on all of them. Waits for the device."""
    return bool(largest([int(mine)], device)[0])


def largest(mine: list[int], device: torch.device) -> list[int]:
    """The largest over the ranks of each number; the same answer on all of them. Waits for the device."""
    if world_size() == 1:
        return mine
    numbers = torch.tensor(mine, device=device)
    dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return numbers.tolist()


def same_everywhere(mine: list[int], device: torch.device) -> bool:
    """Whether all ranks have the same numbers; the same answer on all of them. Waits for the device."""
    both = [*mine, *(-number for number in mine)]
    return largest(both, device) == both


def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of a tensor over the ranks, as a new one."""
    total = value.detach().clone()
    if world_size() > 1:
        dist.all_reduce(total)
        total /= world_size()
    return total
