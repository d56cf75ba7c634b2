"""Images/s against the documents' loops, and launches per step."""

import statistics
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.bench_loop import document_step
from tests.gpu.documents import acgan, dcgan
from tests.gpu.table import Row, Sizes
from trainers.config import TrainConfig
from trainers.data import augment, to_unit_range, upload_epoch
from trainers.engine.precision import set_up_kernels
from trainers.families import build_family
from trainers.randomness import GlobalRandom

Step = Callable[..., None]
HAIR, EYES = 12, 11  # classes of the MLDS HW4 report
LABELS = {"hair": tuple(map(str, range(HAIR))), "eyes": tuple(map(str, range(EYES)))}

# Name, side in pixels, the document's loop, its settings.
RACES: tuple[tuple[str, int, Callable[..., Step], dict[str, Any]], ...] = (
    ("RaLSGAN", 128, document_step, {}),
    (
        "DCGAN",
        64,
        dcgan,
        {
            "network.name": "dcgan_pokemon",
            "network.latent_dim": 16,
            "network.base_width": 128,
            "loss.name": "bce",
            "loss.real_label": 0.95,
            "loss.fake_label": 0.05,
            "optimizer.lr_g": 1.5e-4,
            "optimizer.lr_d": 1.5e-4,
        },
    ),
    (
        "ACGAN",
        96,
        acgan,
        {
            "family": "acgan",
            "labels": LABELS,
            "network.name": "acgan_anime",
            "network.latent_dim": 100,
            "loss.name": "bce",
            "loss.class_weights": {"hair": 0.3, "eyes": 0.35},
            "regime.g_steps": 2,
            "regime.d_updates": "separate",
        },
    ),
)


def our_step(config: TrainConfig, device: torch.device) -> Step:
    """The body of `trainers.loop` on a batch that lies on the device: augmentation, step, average, metrics."""
    set_up_kernels(config)
    random = GlobalRandom(0, device)
    random.start_epoch(1)
    family = build_family(config, device, random)
    epoch = upload_epoch([random.augmentation(config.data.batch_size, config.data) for _ in range(50)], device)
    draws = cycle(epoch)

    def step(raw: Tensor, *labels: Tensor) -> None:
        images = augment(to_unit_range(raw), next(draws))
        family.step(images, *labels, images_seen=10_000, instance_sigma=0.0)

    return step


def rate(step: Step, batch: tuple[Tensor, ...], steps: int) -> float:
    """Images per second over `steps` steps."""
    wait = torch.cuda.synchronize if batch[0].is_cuda else lambda: None
    wait()
    started = time.perf_counter()
    for _ in range(steps):
        step(*batch)
    wait()
    return steps * len(batch[0]) / (time.perf_counter() - started)


def launches(step: Step, batch: tuple[Tensor, ...]) -> int:
    """Kernels and copies that one step starts on the GPU; on the CPU: its operators."""
    on_gpu = batch[0].is_cuda
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as seen:
        step(*batch)
        if on_gpu:
            torch.cuda.synchronize()
    kind = torch.autograd.DeviceType.CUDA if on_gpu else torch.autograd.DeviceType.CPU
    return sum(event.device_type == kind for event in seen.events())


def races(device: torch.device, sizes: Sizes) -> list[Row]:
    """Every document's loop against ours in fp32 and bf16: medians of alternating rounds."""
    rows = []
    for name, side, document, settings in RACES:
        side = sizes.side or side
        batch_size = sizes.batch
        small = {} if sizes.width is None else {"network.base_width": sizes.width}
        common = {**settings, **small, "data.image_size": side, "data.batch_size": batch_size}
        configs = {p: TrainConfig.build({}, {**common, "runtime.precision": p}) for p in ("fp32", "bf16")}
        raw = torch.randint(0, 256, (batch_size, 3, side, side), dtype=torch.uint8).to(device)
        labels = (torch.stack([torch.randint(n, (batch_size,)) for n in (HAIR, EYES)], dim=1).to(device),)
        extra = labels if settings.get("family") == "acgan" else ()
        steps: dict[str, tuple[Step, tuple[Tensor, ...]]] = {
            "document": (document(configs["fp32"], device), (to_unit_range(raw), *extra))
        }
        steps |= {f"ours {p}": (our_step(config, device), (raw, *extra)) for p, config in configs.items()}
        rates: dict[str, list[float]] = {what: [] for what in steps}
        for number in range(sizes.rounds + 1):
            for what, (step, batch) in steps.items():
                value = rate(step, batch, sizes.steps)
                if number:  # the first warms up
                    rates[what].append(value)
        base = statistics.median(rates["document"])
        for what, (step, batch) in steps.items():
            median = statistics.median(rates[what])
            text = (
                f"{median:.1f} images/s, {median / base:.2f} x the document's, {launches(step, batch)} launches a step"
            )
            rows.append(Row(f"{name}-{side} {what}", "ok", text))
    return rows
