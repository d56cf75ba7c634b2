"""One epoch: a pass over the data, and checkpoints inside it where it is long."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from trainers.assets import Assets
from trainers.averages import StepAverages
from trainers.checkpoint import Progress
from trainers.config import NoiseConfig, ScheduleConfig, TrainConfig
from trainers.distributed import largest, rank
from trainers.families import Family
from trainers.pulse import beat, enter_epoch
from trainers.randomness import GlobalRandom

ASK_S = 5.0  # about so often the ranks ask each other inside an epoch, which costs a collective


@dataclass(kw_only=True)
class Inside:
    """What the ranks agree on inside an epoch: whether to leave, and whether a checkpoint is due.

    Args:
        leave: whether this process was asked to leave.
        late: whether a checkpoint is due by time; asked on rank 0 alone.
        save: writes one; called on every rank with what a resumed run needs besides the family's state.
        device: where the run trains.
    """

    leave: Callable[[], bool]
    late: Callable[[], bool]
    save: Callable[[dict[str, Any]], None]
    device: torch.device
    saving_s: float = 0.0  # what checkpoints inside epochs have taken so far
    _steps: int = 0  # since they asked last
    _stride: int = 1  # steps to the next asking: as many as take ASK_S, at most ten times as many as before
    _asked: float = field(default_factory=time.monotonic)

    def after_step(self, state: Callable[[], dict[str, Any]]) -> bool:
        """Write a checkpoint where one is due; returns whether to leave. Every rank calls this after every step."""
        self._steps += 1
        return self._steps >= self._stride and self.ask(state)

    def ask(self, state: Callable[[], dict[str, Any]]) -> bool:
        """As `after_step`, however many steps there were since. Every rank calls this."""
        late, stride = self._decide() if rank() == 0 else (0, 0)
        leaving, late, self._stride = largest([int(self.leave()), late, stride], self.device)
        self._steps = 0
        if leaving or late:
            started = time.perf_counter()
            self.save(state())
            self.saving_s += time.perf_counter() - started
        if leaving:
            largest([0], self.device)  # so that no rank returns before the checkpoint is whole
        return bool(leaving)

    def _decide(self) -> tuple[int, int]:
        """Whether a checkpoint is due, and after how many steps to ask again."""
        before, self._asked = self._asked, time.monotonic()
        wanted = self._steps * ASK_S / max(self._asked - before, 1e-9)
        return int(self.late()), max(1, min(round(wanted), 10 * self._stride))


def run_epoch(
    config: TrainConfig,
    family: Family,
    assets: Assets,
    random: GlobalRandom,
    progress: Progress,
    inside: Inside,
    left_off: dict[str, Any] | None,
    *,
    measured: bool,
) -> dict[str, float] | None:
    """Train on one pass over the data, without the last incomplete batch. Advances `progress`.

    Args:
        config: the run.
        family: its networks.
        assets: its images.
        random: its random numbers.
        progress: how far it is; the first ``step`` steps of this epoch are left out.
        inside: asked after every step.
        left_off: what a checkpoint inside this epoch held, where the run goes on from one.
        measured: whether FID follows, which may take minutes without any question: they ask before it.

    Returns:
        The epoch's metrics; None where the ranks leave inside it.
    """
    epoch, images = progress.epoch + 1, family.images_per_epoch(assets)
    steps = images // config.data.batch_size
    enter_epoch(epoch)
    random.start_epoch(epoch)
    family.start_epoch(epoch)
    sigma = instance_sigma(config.noise, config.schedule, epoch)
    averages, earlier = StepAverages(), 0.0
    batches = family.batches(assets)
    if left_off is not None:
        for _ in range(progress.step):
            next(batches)
            beat()
        random.load_state_dict(left_off["random"])  # now: the pass has drawn its order and its augmentations
        averages.load_state_dict(left_off["averages"])
        earlier = left_off["seconds"]
    started, saving_s = time.perf_counter(), inside.saving_s

    def seconds() -> float:
        """What the epoch's steps have taken so far."""
        return earlier + time.perf_counter() - started - (inside.saving_s - saving_s)

    def state() -> dict[str, Any]:
        return {"random": random.state_dict(), "averages": averages.state_dict(), "seconds": seconds()}

    for batch in batches:
        averages.add(family.step(*batch, images_seen=progress.images_seen, instance_sigma=sigma))
        progress.images_seen += config.data.batch_size
        progress.step += 1
        beat("training", progress.step, steps)
        if inside.after_step(state):
            return None
    if measured and inside.ask(state):
        return None
    rate = {"images_per_second": images / seconds()}
    progress.epoch, progress.step = epoch, 0
    family.align_ranks()
    return averages.means() | _weight_norms(family) | rate


def instance_sigma(noise: NoiseConfig, schedule: ScheduleConfig, epoch: int) -> float:
    """Standard deviation of the instance noise at `epoch`; falls linearly to 0 over ``instance_decay`` of the run."""
    if noise.instance_decay is None:
        return noise.instance_sigma
    return noise.instance_sigma * max(0.0, 1 - (epoch - 1) / (noise.instance_decay * schedule.epochs))


@torch.no_grad()
def _weight_norms(family: Family) -> dict[str, float]:
    """Norms over all parameters of D and of G, the same on every rank; one read of the device."""
    networks = {"weight_norm_d": family.discriminator, "weight_norm_g": family.generator}
    norms = [torch.nn.utils.get_total_norm(network.parameters()) for network in networks.values()]
    values = dict(zip(networks, torch.stack(norms).tolist(), strict=True))
    for name, network in networks.items():
        if not math.isfinite(values[name]):  # squares of weights above 1e19 overflow float32, though they are finite
            parts = [torch.linalg.vector_norm(p, dtype=torch.float64) for p in network.parameters()]
            values[name] = torch.stack(parts).norm().item()
    return values
