"""What two ranks do with half of the images each, and one rank with all. A plain module, for spawned processes."""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from trainers.config import RegularizerConfig
from trainers.distributed import average_gradients, my_slice
from trainers.networks.batchnorm import synchronise_batchnorm
from trainers.randomness import GlobalRandom
from trainers.regularizers import diff_augment, penalty

CPU = torch.device("cpu")
BATCH = 8
WEIGHTS = RegularizerConfig(r1_gamma=3.0, r2_gamma=2.0, gradient_penalty=5.0, penalty_every=4)
Results = dict[str, Tensor]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def judge(norm: bool = False) -> nn.Module:
    """A small smooth D of 8 px images, equal at every call."""
    torch.manual_seed(0)
    norms = [nn.BatchNorm2d(4)] if norm else []
    layers = [nn.Conv2d(3, 4, 4, 2, 1, bias=not norm), *norms, nn.SiLU(), nn.Conv2d(4, 1, 4), nn.Flatten()]
    return synchronise_batchnorm(nn.Sequential(*layers))


def source() -> GlobalRandom:
    random = GlobalRandom(7, CPU)
    random.start_epoch(1)
    return random


def penalties(norm: bool) -> Results:
    """The value of all penalties together, and the gradients that D's optimiser sees."""
    network = judge(norm)
    real, fake = ((3 * numbers(BATCH, 3, 8, 8, seed=s)[my_slice(BATCH)]).requires_grad_() for s in (1, 2))
    value = penalty(WEIGHTS, network, real, fake, network(real), network(fake), source())
    value.backward()
    average_gradients(network.parameters())
    name = "batchnorm" if norm else "plain"
    gradients = {f"{name}.{key}": p.grad for key, p in network.named_parameters() if p.grad is not None}
    return {f"{name}_value": value.detach(), **gradients}


def everything() -> Results:
    images, random = numbers(BATCH, 3, 16, 12, seed=3)[my_slice(BATCH)], source()
    augmented = {f"images{i}": diff_augment(images, "color,translation,cutout", random) for i in (0, 1)}
    return penalties(norm=False) | penalties(norm=True) | augmented


def run_rank(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(everything(), folder / f"rank{rank}.pt")
    dist.destroy_process_group()


def run_on_two_ranks(folder: Path) -> list[Results]:
    mp.start_processes(run_rank, (folder,), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
