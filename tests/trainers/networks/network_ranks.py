"""What two ranks do with networks that look across the batch, and one rank for comparison."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from trainers.distributed import average_gradients, batch_mean, gather_batch, my_slice, rank, world_size
from trainers.networks.minibatch import MinibatchDiscrimination2d


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def gathered() -> dict[str, Any]:
    """Each rank weighs the batch differently, so that a gradient of the rank's own loss alone shows."""
    x = numbers(6, 2)[my_slice(6)].clone().requires_grad_()
    batch = gather_batch(x)
    weights = numbers(world_size(), 6, 2, seed=1)[rank()]
    (gradient,) = torch.autograd.grad((batch**3 * weights).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    return {"batch": batch.detach(), "gradient": gradient.detach(), "second": second}


def compared() -> dict[str, Any]:
    """Minibatch discrimination with a loss and a gradient penalty in which every image counts differently."""
    torch.manual_seed(0)
    network = MinibatchDiscrimination2d(size=8, in_channels=3, out_channels=2, features=4).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # else all images look alike
    part = my_slice(6)
    x = (numbers(6, 3, 8, 8)[part] * 0.3).requires_grad_()
    y = network(x)
    scores = (y * numbers(6, 5, 8, 8, seed=1)[part]).sum((1, 2, 3))
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    norms = gradient.square().sum((1, 2, 3))
    batch_mean(scores.square() + norms * numbers(6, seed=2)[part]).backward()
    average_gradients(network.parameters())
    of_parameters = {name: p.grad for name, p in network.named_parameters()}
    # A rank's gradient is that of the sum of all ranks' losses, which are one and the same.
    assert x.grad is not None
    return {"y": y.detach(), "gradient": gradient.detach(), "x": x.grad / world_size(), **of_parameters}


def cases() -> dict[str, dict[str, Any]]:
    return {"gathered": gathered(), "compared": compared()}


def run_rank(rank: int, ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks)
    torch.save(cases(), folder / f"rank{rank}.pt")
    dist.destroy_process_group()


def run_on_ranks(ranks: int, folder: Path) -> list[dict[str, dict[str, Any]]]:
    """Run every case in gloo processes. Returns what each rank got, by case."""
    mp.start_processes(run_rank, (ranks, folder), nprocs=ranks, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(ranks)]
