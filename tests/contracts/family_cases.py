"""Cases for the contract of families. A plain module, so that spawned ranks can import it too."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from trainers.config import TrainConfig
from trainers.distributed import my_slice
from trainers.families import Family, build_family
from trainers.randomness import GlobalRandom

CPU = torch.device("cpu")
BATCH, SIZE = 8, 32
LABELS = {"hair": ("red", "blue", "green"), "eyes": ("red", "blue")}
COMMON: dict[str, Any] = {
    "seed": 1,
    "data.image_size": SIZE,
    "data.batch_size": BATCH,
    "network.base_width": 4,
    "network.latent_dim": 8,
    "noise.instance_sigma": 0.1,
    "schedule.epochs": 4,
    "schedule.window_first": 2,
    "schedule.checkpoint_every": 1,
    "fid.extractor": "tiny",
    "fid.n_fake": 16,
    "fid.min_diversity": 0.0,  # nothing is learnt in a few steps
    "fid.every": 1,
}
ACGAN = {"family": "acgan", "labels": LABELS, "network.name": "acgan_anime", "loss.name": "bce"}
CYCLEGAN = {"family": "cyclegan", "network.name": "resnet_patchgan", "loss.name": "lsgan", "cycle.buffer_size": 12}

# Each name begins with its family's; together they have every network, every regime and every regulariser.
# What is drawn for a family that needs more than a folder of images.
PICTURES = {"acgan": "faces", "cyclegan": "domains"}

CASES: dict[str, dict[str, Any]] = {
    "adversarial": {},
    "adversarial cars, separate": {
        "network.name": "dcgan_cars",
        "loss.name": "bce",
        "regime.d_updates": "separate",
    },
    "adversarial pokemon, monitored": {
        "network.name": "dcgan_pokemon",
        "loss.name": "bce",
        "regime.name": "monitored",
    },
    "adversarial pokemon, boosted": {"network.name": "dcgan_pokemon", "loss.name": "bce", "regime.name": "boosted"},
    "adversarial wgan": {
        "network.name": "wgan_pokemon",
        "loss.name": "wasserstein",
        "regularizer.weight_clip": 0.01,
        "optimizer.name": "rmsprop",
        "regime.name": "n_critic",
    },
    "adversarial gradient penalty": {"loss.name": "wasserstein", "regularizer.gradient_penalty": 10.0},
    "adversarial r3gan": {
        "network.name": "r3gan_small",
        "loss.name": "rsgan",
        "regularizer.r1_gamma": 1.0,
        "regularizer.r2_gamma": 1.0,
        "regularizer.diffaugment": "color,translation,cutout",
    },
    "adversarial spectral hinge": {"loss.name": "hinge", "regularizer.spectral_norm": True, "regime.g_steps": 2},
    "acgan": {**ACGAN, "regime.g_steps": 2, "regime.d_updates": "separate"},
    "acgan on other networks": {**ACGAN, "network.name": "dcgan", "loss.name": "rahinge", "regularizer.r1_gamma": 0.5},
    "cyclegan": {**CYCLEGAN, "cycle.identity_weight": 2.0, "optimizer.decay_start": 0.5},
    "cyclegan relativistic": {**CYCLEGAN, "loss.name": "ralsgan", "regime.name": "monitored"},
}


def case_config(name: str, overrides: dict[str, Any] | None = None) -> TrainConfig:
    return TrainConfig.build({}, {**COMMON, **CASES[name], **(overrides or {})})


def fresh_family(config: TrainConfig) -> Family:
    random = GlobalRandom(config.seed, CPU)
    random.start_epoch(1)
    family = build_family(config, CPU, random)
    family.start_epoch(1)
    return family


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.get_default_dtype())


def global_batch(config: TrainConfig, seed: int = 0) -> tuple[Tensor, ...]:
    """What a step takes, over all ranks: images, and classes with some missing or a second domain."""
    images = (numbers(BATCH, 3, SIZE, SIZE, seed=seed) / 2).clamp(-1, 1)
    if config.family == "acgan":
        return images, torch.tensor([[0, 1], [1, -1], [-1, 0], [2, 1], [0, 0], [-1, -1], [1, 1], [2, 0]])
    if config.family == "cyclegan":
        return images, (numbers(BATCH, 3, SIZE, SIZE, seed=seed + 9) / 2 + 0.3).clamp(-1, 1)
    return (images,)


def take_steps(family: Family, count: int, sigma: float = 0.1) -> list[dict[str, Any]]:
    """Metrics of `count` steps of this rank's share, each on other images."""
    results = []
    for number in range(count):
        mine = [part[my_slice(BATCH)] for part in global_batch(family.config, seed=number)]
        values = family.step(*mine, images_seen=number * BATCH, instance_sigma=sigma)
        results.append({name: torch.as_tensor(value) for name, value in values.items()})
    return results


def three_steps(name: str) -> dict[str, Any]:
    """In float64, where rounding does not turn ReLUs on or off: what three steps leave behind."""
    torch.set_default_dtype(torch.float64)
    try:
        family = fresh_family(case_config(name))
        metrics = take_steps(family, 3)
        return {"metrics": metrics, "state": family.state_dict()}
    finally:
        torch.set_default_dtype(torch.float32)


def run_rank(rank: int, ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks)
    torch.save({name: three_steps(name) for name in CASES}, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


def run_on_ranks(ranks: int, folder: Path) -> list[dict[str, dict[str, Any]]]:
    """Every case in gloo processes. Returns what each rank got, by case."""
    mp.start_processes(run_rank, (ranks, folder), nprocs=ranks, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(ranks)]
