"""Small real things for the trainers' tests. A plain module, so that spawned processes can import it too."""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.assets import Assets
from trainers.checkpoint import Progress, save_checkpoint
from trainers.checkpoint_times import CheckpointTimes
from trainers.config import TrainConfig
from trainers.families import find_family
from trainers.loop import train
from trainers.metrics import Extractor, register_extractor
from trainers.networks.dcgan import Generator
from trainers.run_report import Decision, EpochReport, Measurement

IMAGES = 134
STEPS = IMAGES // 32  # per epoch
SMALL = {
    "seed": 3,
    "data.image_size": 32,
    "data.batch_size": 32,
    "data.rotation_p": 0.5,
    "network.base_width": 4,
    "network.latent_dim": 8,
    "regime.ema_halflife_images": 100.0,
    "regime.ema_rampup": 1.0,
    "optimizer.lr_g": 5e-3,
    "optimizer.lr_d": 5e-3,
    "noise.instance_sigma": 0.1,
    "schedule.epochs": 6,
    "schedule.window_first": 3,
    "schedule.checkpoint_every": 2,
    "schedule.samples_every": 4,
    "fid.extractor": "tiny",
    "fid.n_fake": 30,
    "fid.every": 2,
    "fid.min_diversity": 0.0,  # nothing is learnt in 24 steps
    "fid.batch_size": 20,
}


def small_config(overrides: dict[str, Any] | None = None) -> TrainConfig:
    """Four steps an epoch, six epochs, about a second in all."""
    return TrainConfig.build({}, {**SMALL, **(overrides or {})})


def checkpoint(path: Path, config: TrainConfig, seed: int = 0) -> Path:
    """Write a checkpoint with a generator that has learnt nothing."""
    torch.manual_seed(seed)
    generator, _ = find_family(config).build_pair(config)
    save_checkpoint(path, config, Progress(epoch=5), {"generator": generator.state_dict()})
    return path


class TinyFeatures(nn.Module):
    """A random convolution: its features differ from image to image, and cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(12, 3, 5, 5, generator=torch.Generator().manual_seed(0)) / 9)

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(images.float() / 255, self.weight, stride=2).square().mean((2, 3))


def register_tiny_extractor() -> None:
    register_extractor("tiny", lambda _: Extractor(TinyFeatures(), protocol="tiny", dim=12))


class Recorder:
    """Keeps every report; answers STOP at the epochs in `stop_at`."""

    def __init__(self, *stop_at: int) -> None:
        self.stop_at = stop_at
        self.reports: list[EpochReport] = []

    def __call__(self, report: EpochReport) -> Decision:
        self.reports.append(report)
        return Decision.STOP if report.epoch in self.stop_at else Decision.CONTINUE

    @property
    def fids(self) -> dict[int, float]:
        return {report.epoch: report.measurement.fid for report in self.reports if report.measurement is not None}

    @property
    def measurements(self) -> list[Measurement]:
        return [report.measurement for report in self.reports if report.measurement is not None]


def timeless(report: EpochReport) -> dict[str, Any]:
    """The values of a report, except its times and when there was a checkpoint, which times decide."""
    fields = report.to_json()
    for name in ("started", "trained", "ended", "checkpoint"):
        del fields[name]
    for name in ("images_per_second", "fid_seconds", "checkpoint_seconds"):
        fields["metrics"].pop(name, None)
    return fields


def curve(reports: Iterable[EpochReport]) -> list[dict[str, Any]]:
    """What is kept of reports, without times: a repeated report of an epoch must be the same, and is dropped."""
    kept: dict[int, dict[str, Any]] = {}
    for report in reports:
        fields = timeless(report)
        assert kept.setdefault(report.epoch, fields) == fields
    return list(kept.values())


def timeless_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, its report without times."""
    content = load(path)
    return {**content, "report": timeless(EpochReport.from_json(content["report"]))}


def still_times() -> CheckpointTimes:
    """On a clock that stands still: after the first epoch nothing is due by time."""
    return CheckpointTimes(lambda: 0.0)


def load(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def flat_state(state: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts and lists as one dict of dotted names."""
    if isinstance(state, dict):
        pairs = [(str(key), value) for key, value in state.items()]
    elif isinstance(state, list | tuple):
        pairs = [(str(i), value) for i, value in enumerate(state)]
    else:
        return {prefix.removesuffix("."): state}
    return {name: leaf for key, value in pairs for name, leaf in flat_state(value, f"{prefix}{key}.").items()}


def differing(left: Any, right: Any) -> list[str]:
    """Names of the entries of two nested states that are not the same to the last bit."""
    a, b = flat_state(left), flat_state(right)
    same = {name for name in a.keys() & b.keys() if _same(a[name], b[name])}
    return sorted((a.keys() | b.keys()) - same)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and a == b


def train_until_killed(overrides: dict[str, Any], folders: tuple[Path, Path, Path], moment: str, count: int) -> None:
    """Train in this process and end it with SIGKILL: no handler, no finally, no flush.

    Args:
        overrides: of the small configuration.
        folders: photos, cache, run.
        moment: ``generator`` (in the middle of a step), or an event and a file: ``os.rename latest`` (the new
            ``latest.pt`` is written but not in its place), ``os.link previous`` and ``os.rename previous`` (nor has
            the old one its second name yet) or ``shutil.copyfile best`` (``latest.pt`` is in place, ``best.pt`` not).
        count: at which of these moments, from 1.
    """
    torch.set_num_threads(1)
    register_tiny_extractor()
    die = _die_at(count)

    def after_forward(module: nn.Module, *_: Any) -> None:
        if isinstance(module, Generator) and module.training:
            die()

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.link", "shutil.copyfile"):
            name = Path(args[1]).name.removeprefix(".").split(".")[0]  # temporary names are hidden
            if f"{event} {name}" == moment:
                die()

    if moment == "generator":
        nn.modules.module.register_module_forward_hook(after_forward)
    else:
        sys.addaudithook(audit)
    photos, cache_dir, run_dir = folders
    train(
        small_config(overrides),
        Assets(photos, cache_dir, torch.device("cpu")),
        run_dir,
        Recorder(),
        times=still_times(),
    )


def _die_at(count: int) -> Callable[[], None]:
    seen = 0

    def die() -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)

    return die
