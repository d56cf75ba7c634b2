"""What a sweep's networks need of memory, estimated before anything is built."""

from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from orchestrator.plan.checks import buildable_pair, with_some_labels
from orchestrator.plan.resources import Resources
from orchestrator.space.domains import Choice
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.errors import UserError

# A rank's own memory: with torch, Ray and torchvision imported 740 MB are resident, of which no process shares these
# (2026-11-25, torch's CPU build).
RANK_BYTES = 400_000_000
_FLOAT = 4


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks of one config.

    Attributes:
        config: that names them.
        parameters: of all networks together.
        averaged: parameters of the generators' moving average, 0 without one.
    """

    config: TrainConfig
    parameters: int
    averaged: int

    @property
    def trained(self) -> int:
        """Bytes that training holds: weights, gradients, the optimiser's moments, and the average."""
        return _FLOAT * (self.parameters * (2 + self._moments) + self.averaged)

    @property
    def saved(self) -> int:
        """Bytes of a checkpoint, which has no gradients."""
        return _FLOAT * (self.parameters * (1 + self._moments) + self.averaged)

    @property
    def _moments(self) -> int:
        return 1 if self.config.optimizer.name == "rmsprop" else 2

    def __str__(self) -> str:
        network, size = self.config.network, self.config.data.image_size
        return (
            f"{network.name} with network.base_width {network.base_width}, network.latent_dim {network.latent_dim} "
            f"and {size} px has {self.parameters:,} parameters"
        )


def largest_networks(space: Space) -> Networks:
    """The largest networks that a trial may have, one searched key at a time. Nothing is allocated.

    Raises:
        UserError: they cannot be built.
    """
    configs = space.going_on() or [space.base]
    for name, domain in space.combined().items():
        if name.startswith("network.") or name == "data.image_size":
            values = domain.probes() if isinstance(domain, Choice) else domain.probes()[-1:]
            configs += [space.resolve(space.completed({name: value}) or {}) for value in values]
    return max((_networks(config) for config in configs), key=lambda networks: networks.trained)


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """Bytes that the ranks need at least: activations, libraries and images come on top.

    Attributes:
        rank: of its host, by one rank.
        ranks: of all gangs.
        gpu: of one GPU, by all ranks on it; 0 without GPUs.
    """

    rank: int
    ranks: int
    gpu: int

    @property
    def host(self) -> int:
        """Of one machine that runs all ranks."""
        return self.ranks * self.rank


def memory_need(networks: Networks, resources: Resources) -> MemoryNeed:
    """What gangs need to train the largest networks of a trial."""
    ranks, on_gpu = resources.gangs * resources.workers, resources.gpus > 0
    return MemoryNeed(
        rank=RANK_BYTES + (0 if on_gpu else networks.trained),
        ranks=ranks,
        gpu=_sharing(resources) * networks.trained if on_gpu else 0,
    )


def _sharing(resources: Resources) -> int:
    """Ranks on one GPU."""
    return min(resources.gangs * resources.workers, max(1, int(1 / resources.gpus + 1e-9)))


def check_memory(need: MemoryNeed, networks: Networks, resources: Resources, *, host: int, gpu: int | None) -> None:
    """Check that all ranks together fit this machine. Activations come on top, so this refuses only what cannot be.

    Args:
        need: of the ranks.
        networks: the largest of a trial.
        resources: the gangs.
        host: bytes of the machine's memory.
        gpu: bytes of one GPU's memory; None: unknown, or there is no GPU.

    Raises:
        UserError: they do not.
    """
    if need.host > host:
        own = "" if need.gpu else f" ({networks}: {gb(networks.trained)} with gradients and moments)"
        raise UserError(
            f"{resources.gangs} trials at once x {resources.workers} workers need at least {gb(need.host)} of memory"
            f"{own}, this machine has {gb(host)}: lower network.base_width, --concurrency or --workers-per-trial"
        )
    if gpu is not None and need.gpu > gpu:
        raise UserError(
            f"{_sharing(resources)} ranks on one GPU need at least {gb(need.gpu)} of its memory ({networks}:"
            f" {gb(networks.trained)} with gradients and moments), it has {gb(gpu)}: lower network.base_width, "
            "or raise --gpus-per-worker"
        )


def host_memory() -> int:
    """Bytes that this machine, or the container that this process runs in, has."""
    total: int = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, int(text)) if text.isdigit() else total


def gpu_memory() -> int | None:
    """Bytes of the smallest GPU's memory; None where there is no GPU."""
    if not torch.cuda.is_available():
        return None
    return min(torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count()))


def _networks(config: TrainConfig) -> Networks:
    config = with_some_labels(config)
    generator, discriminator = buildable_pair(config)
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (generator, discriminator)]
    averaged = sizes[0] if config.regime.ema_halflife_images is not None else 0
    return Networks(config=config, parameters=sum(sizes), averaged=averaged)


def gb(amount: float) -> str:
    """Bytes for people."""
    return f"{amount / 1e9:,.1f} GB" if amount >= 1e8 else f"{amount / 1e6:,.0f} MB"
