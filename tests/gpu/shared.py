"""Several processes: two gangs of one rank on one device, and two ranks of one trial on a device each."""

import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.contracts.family_cases import BATCH, case_config, global_batch
from tests.gpu.speed import our_step, rate
from tests.gpu.table import Row, Sizes
from tests.trainers.trainer_helpers import differing
from trainers.config import TrainConfig
from trainers.distributed import my_slice
from trainers.families import build_family
from trainers.randomness import GlobalRandom

RANK_CASES = ("adversarial", "adversarial r3gan", "acgan", "cyclegan")


def _gang(number: int, barrier: object, folder: Path, device: str, sizes: Sizes) -> None:
    """One gang: warm up, wait for the other, then its images/s into a file."""
    where = torch.device(device)
    side = sizes.side or 64
    overrides = {"data.image_size": side, "data.batch_size": sizes.batch, "network.base_width": sizes.width or 32}
    step = our_step(TrainConfig.build({}, overrides), where)
    batch = (torch.randint(0, 256, (sizes.batch, 3, side, side), dtype=torch.uint8).to(where),)
    rate(step, batch, sizes.steps)
    barrier.wait(120)  # type: ignore[attr-defined]
    torch.save(rate(step, batch, sizes.steps * 4), folder / f"gang{number}.pt")


def gangs(device: torch.device, sizes: Sizes) -> list[Row]:
    """Images/s of one process alone, and of two at once."""
    totals = []
    for count in (1, 2):
        with tempfile.TemporaryDirectory() as temporary:
            barrier = mp.get_context("spawn").Barrier(count)
            mp.spawn(_gang, (barrier, Path(temporary), str(device), sizes), nprocs=count)
            totals.append(sum(torch.load(path) for path in Path(temporary).glob("gang*.pt")))
    text = f"{totals[0]:.1f} images/s alone, {totals[1]:.1f} together: {totals[1] / totals[0]:.2f} x"
    return [Row("two gangs on one device", "ok", text)]


def _rank(number: int, folder: Path, device_type: str) -> None:
    device = torch.device(device_type, number) if device_type == "cuda" else torch.device(device_type)
    if device_type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device_type == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{folder}/store", rank=number, world_size=2)
    states = {}
    for name in RANK_CASES:
        config = case_config(name)
        random = GlobalRandom(config.seed, device)
        random.start_epoch(1)
        family = build_family(config, device, random)
        for step in range(2):
            mine = [part[my_slice(BATCH)].to(device) for part in global_batch(config, seed=step)]
            family.step(*mine, images_seen=step * BATCH, instance_sigma=0.1)
        states[name] = {key: family.state_dict()[key] for key in ("generator", "discriminator")}
    torch.save(states, folder / f"rank{number}.pt")
    dist.destroy_process_group()


def ranks(device: torch.device) -> list[Row]:
    """Two ranks take two steps of a trial and hold the same weights after it."""
    if device.type == "cuda" and torch.cuda.device_count() < 2:
        return [Row("two NCCL ranks", "skipped", "this machine has one GPU, and NCCL refuses two ranks on one")]
    with tempfile.TemporaryDirectory() as temporary:
        mp.spawn(_rank, (Path(temporary), device.type), nprocs=2)
        first, second = (torch.load(Path(temporary) / f"rank{n}.pt", map_location="cpu") for n in (0, 1))
    apart = [name for name in RANK_CASES if differing(first[name], second[name])]
    name = "two NCCL ranks" if device.type == "cuda" else "two gloo ranks"
    text = f"weights differ: {', '.join(apart)}" if apart else f"same weights: {', '.join(RANK_CASES)}"
    return [Row(name, "FAILED" if apart else "ok", text)]
