"""What one trial takes of a device at most: two updates and a batch of FID on random images, then it is known.

``python -m trainers.dry_step`` does so in a process of its own, whose CUDA context ends with it: ``{"config": ...,
"device": "cuda", "images": 0}`` on stdin, `Measured` as JSON on stdout; what a user can mend is one line on stderr and
exit code 2. No file of a sweep is read or written, but for the extractor's weights.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from trainers.assets import RESIDENT_SHARE, Assets, Images
from trainers.config import TrainConfig
from trainers.device_memory import is_out_of_memory
from trainers.engine.precision import set_up_kernels
from trainers.epoch import instance_sigma
from trainers.errors import UserError, first_line
from trainers.families import Family, build_family
from trainers.measuring import measure
from trainers.metric_names import KID, PRDC
from trainers.metrics import KEPT, Moments, RealStatistics, measure_beside
from trainers.randomness import GlobalRandom
from trainers.regimes import Regime, Updates

USED_SHARE = 0.9  # of a device's memory, when trials share it: the rest is spare
UPDATES = 2  # the first makes the optimisers' moments, the second runs beside them
MOST_UPDATES = 64  # to fill a CycleGAN's buffer of older fakes
# The most that this process's CUDA context is taken to be of what was in use before the step: on a GPU that others use
# too, their part cannot be told from it.
CONTEXT_BYTES = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a trial takes.

    Attributes:
        peak: bytes of the device that it takes at most. On CUDA what the device itself says was taken (torch's cache,
            libraries, kernels) and the context; on a CPU what the process has grown by.
        room: bytes of the device that trials may share: its memory without what others hold of it; of several devices
            the smallest.
    """

    peak: int
    room: int

    @property
    def fit(self) -> int:
        """How many such trials may share the device."""
        return int(USED_SHARE * self.room / self.peak)


def dry_step(config: TrainConfig, device: torch.device, images: int = 0) -> Measured:
    """Train and measure as little as shows the peak, in a process that does nothing else.

    Args:
        config: the run.
        device: where.
        images: bytes of the decoded images that a rank keeps on a GPU where they are few enough.

    Raises:
        UserError: the device has too little memory, or the config cannot be built.
    """
    step = _step_on_cuda if device.type == "cuda" else _step_on_cpu
    try:
        return step(lambda: _step(config, device, images), device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"not one trial with data.batch_size {config.data.batch_size}, network.base_width "
            f"{config.network.base_width} and {config.data.image_size} px fits: {first_line(error, 160)}"
        ) from error


def _step_on_cuda(work: Callable[[], None], device: torch.device) -> Measured:
    free, total = torch.cuda.mem_get_info(device)  # makes the context, which is therefore part of what is not free
    context = min(total - free, CONTEXT_BYTES)
    sizes = [torch.cuda.mem_get_info(number) for number in range(torch.cuda.device_count())]
    room = min(min(total, free + context) for free, total in sizes)
    work()
    torch.cuda.synchronize(device)
    taken = max(free - torch.cuda.mem_get_info(device)[0], torch.cuda.max_memory_reserved(device))
    return Measured(peak=taken + context, room=room)


def _step_on_cpu(work: Callable[[], None], device: torch.device) -> Measured:
    before = _high_water()
    work()
    return Measured(peak=_high_water() - before, room=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _high_water() -> int:
    """The most bytes that were resident. `resource.getrusage` would tell of the process that started this one too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def _step(config: TrainConfig, device: torch.device, images: int) -> None:
    set_up_kernels(config)
    random = GlobalRandom(config.seed, device)
    family = build_family(config, device, random)
    family.regime = _BothAtOnce(family.regime, config.regime.g_steps)
    random.start_epoch(1)
    family.start_epoch(1)
    count = config.data.batch_size * _updates(config, family)
    with TemporaryDirectory() as folder:
        for domain in "AB":
            (Path(folder) / domain).mkdir()  # where a family looks for two
        assets = _RandomAssets(config, Path(folder), device, count, images)
        for batch in family.batches(assets):
            sigma = instance_sigma(config.noise, config.schedule, epoch=1)
            family.step(*batch, images_seen=0, instance_sigma=sigma)  # penalties are due at every such step
        targets = family.fid_targets(assets)
        measure(config, targets, assets, max(2, min(config.fid.batch_size, config.fid.n_fake)), epoch=1)
        if device.type == "cuda":
            _compare_features(config, assets)


def _compare_features(config: TrainConfig, assets: Assets) -> None:
    """Measure beside FID on as many features as a finalist has; on a CPU that would take a minute."""
    extractor = assets.extractor(config)
    real, fake = (torch.randn(n, extractor.dim, device=assets.device) for n in (KEPT, min(KEPT, config.fid.n_fake)))
    measure_beside(config.fid.metrics or (KID, PRDC), real, fake, extractor, k=config.fid.neighbours)


def _updates(config: TrainConfig, family: Family) -> int:
    if not family.directions:
        return UPDATES
    return min(MOST_UPDATES, max(UPDATES, -(-config.cycle.buffer_size // config.data.batch_size)))


class _BothAtOnce(Regime):
    """Updates both networks at every iteration, as the costliest one of any regime does."""

    def __init__(self, regime: Regime, g_steps: int) -> None:
        self._regime, self._g_steps = regime, g_steps

    def next(self, iteration: int, random: GlobalRandom) -> Updates:
        return Updates(d=True, g_steps=self._g_steps)

    def allows_d(self, d_loss: Tensor) -> bool | Tensor:
        return self._regime.allows_d(d_loss)

    def saw_g(self, g_loss: Tensor) -> None:
        self._regime.saw_g(g_loss)


class _RandomImages(Images):
    """Random pixels on the device, and as much beside them as the real images take that stay there."""

    def __init__(self, config: TrainConfig, device: torch.device, count: int, real: int) -> None:
        size, self.device = config.data.image_size, device
        self._resident = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, device=device)
        if device.type == "cuda" and real < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
            self._beside = torch.empty(max(0, real - self._resident.numel()), dtype=torch.uint8, device=device)

    def __len__(self) -> int:
        assert self._resident is not None
        return len(self._resident)


class _RandomAssets(Assets):
    """The assets of images that nobody has."""

    def __init__(self, config: TrainConfig, folder: Path, device: torch.device, count: int, real: int) -> None:
        super().__init__(folder, folder, device)
        self._pictures = _RandomImages(config, device, count, real)

    def images(self, config: TrainConfig, folder: Path | None = None) -> Images:
        return self._pictures

    def labels(self, config: TrainConfig, folder: Path | None = None) -> Tensor:
        assert isinstance(config.labels, dict), "labels: auto is resolved at launch"
        return torch.stack([torch.randint(len(names), (len(self._pictures),)) for names in config.labels.values()], 1)

    def statistics(self, config: TrainConfig, folder: Path | None = None) -> RealStatistics:
        extractor = self.extractor(config)
        moments = Moments(extractor.dim, self.device)
        size = max(2, config.fid.batch_size)
        moments.update(extractor(self._pictures.batch(torch.arange(size) % len(self._pictures))))
        return RealStatistics.from_moments(moments)

    def held_out_statistics(self, config: TrainConfig, folder: Path | None = None) -> RealStatistics:
        return self.statistics(config, folder)

    def held_out_features(self, config: TrainConfig, folder: Path | None = None) -> Tensor:
        return self.features(config, folder)

    def features(self, config: TrainConfig, folder: Path | None = None) -> Tensor:
        return torch.randn(max(2, config.fid.batch_size), self.extractor(config).dim)


def main() -> int:
    """Answer what is asked on stdin."""
    asked = json.load(sys.stdin)
    try:
        config = TrainConfig.model_validate(asked["config"])
        found = dry_step(config, torch.device(asked["device"]), asked["images"])
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
