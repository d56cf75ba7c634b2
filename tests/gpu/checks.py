"""What must be right on a GPU: every family's steps, FID, resume."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from tests.contracts.family_cases import BATCH, CASES, case_config, global_batch
from tests.gpu.table import Row
from tests.trainers.trainer_helpers import Recorder, flat_state, load, register_tiny_extractor, small_config
from trainers.assets import Assets
from trainers.data import draw_motorbikes
from trainers.engine.precision import set_up_kernels
from trainers.errors import UserError
from trainers.families import build_family
from trainers.loop import train
from trainers.metrics import Moments, RealStatistics, build_extractor, extractor_names, frechet_distance
from trainers.randomness import GlobalRandom

FID_TOLERANCE = 1e-4  # relative, of FID as a whole; as between us and pytorch-fid
RESUME_TOLERANCE = 1e-2  # absolute, of weights: a GPU adds in any order, and cuDNN may choose another algorithm


def families(device: torch.device) -> list[Row]:
    """Three steps of every case in fp32 and bf16: everything is finite."""
    rows = []
    for name in CASES:
        for precision in ("fp32", "bf16"):
            config = case_config(name, {"runtime.precision": precision})
            set_up_kernels(config)
            random = GlobalRandom(config.seed, device)
            random.start_epoch(1)
            family = build_family(config, device, random)
            family.start_epoch(1)
            values: dict[str, Tensor | float] = {}
            for number in range(3):
                batch = [part.to(device) for part in global_batch(config, seed=number)]
                values |= family.step(*batch, images_seen=number * BATCH, instance_sigma=0.1)
            wrong = [key for key, value in values.items() if not torch.as_tensor(value).isfinite()]
            text = f"not finite: {', '.join(wrong)}" if wrong else f"d_loss {float(values['d_loss']):.4f}"
            rows.append(Row(f"{name}, {precision}", "FAILED" if wrong else "ok", text))
    return rows


def fid(device: torch.device, tiny: bool) -> list[Row]:
    """The distance from features, and each extractor that is installed, on the device against the CPU."""
    rows = []
    for dim, n in ((32, 16), (32, 100)) if tiny else ((2048, 1000), (2048, 4000)):
        generator = torch.Generator().manual_seed(0)
        real, fake = torch.randn(n, dim, generator=generator), torch.randn(n, dim, generator=generator) * 1.1 + 0.1
        values = []
        for where in (torch.device("cpu"), device):
            moments = [Moments(dim, where), Moments(dim, where)]
            for kept, features in zip(moments, (real, fake), strict=True):
                kept.update(features.to(where))
            values.append(frechet_distance(RealStatistics.from_moments(moments[0]), moments[1]))
        rows.append(_compared(f"Frechet distance, d {dim}, n {n}", *values))
    images = torch.randint(0, 256, (32, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    register_tiny_extractor()
    for name in ["tiny"] if tiny else extractor_names():
        try:
            here, there = build_extractor(name), build_extractor(name, device=device)
        except UserError as error:
            rows.append(Row(f"features of {name}", "skipped", str(error)))
            continue
        values = []
        for extractor, where in ((here, torch.device("cpu")), (there, device)):
            moments = [Moments(extractor.dim, where), Moments(extractor.dim, where)]
            moments[0].update(extractor(images.to(where)))
            moments[1].update(extractor((255 - images).to(where)))
            values.append(frechet_distance(RealStatistics.from_moments(moments[0]), moments[1]))
        rows.append(_compared(f"FID with {name}", *values))
    return rows


def _compared(name: str, cpu: float, device: float) -> Row:
    off = abs(device - cpu) / abs(cpu)
    text = f"{device:.6g}, on the CPU {cpu:.6g}, relative difference {off:.1e}"
    return Row(name, "ok" if off < FID_TOLERANCE else "FAILED", text)


def resume(device: torch.device) -> list[Row]:
    """A run stopped after two of four epochs and continued, against one that never stopped; images on the device."""
    register_tiny_extractor()
    config = small_config({"schedule.epochs": 4})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw_motorbikes(folder / "bikes", count=70, broken=False)
        assets = Assets(folder / "bikes", folder / "cache", device)
        train(config, assets, folder / "whole", Recorder())
        train(config, assets, folder / "halves", Recorder(2))
        recorder = Recorder()
        train(config, assets, folder / "halves", recorder)
        whole, halves = (flat_state(load(folder / name / "latest.pt")["family"]) for name in ("whole", "halves"))
    resumed_at = recorder.reports[1].epoch  # the first repeats that of the checkpoint
    off = max(float((whole[key].double() - halves[key].double()).abs().max()) for key in whole if _weights(whole[key]))
    good = resumed_at == 3 and whole.keys() == halves.keys() and off <= RESUME_TOLERANCE
    text = "equal to the last bit" if off == 0 else f"largest difference {off:.1e}"
    return [Row("resumed against uninterrupted", "ok" if good else "FAILED", f"went on at epoch {resumed_at}; {text}")]


def _weights(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0
