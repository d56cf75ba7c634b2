"""What two ranks do, and one rank for comparison. Each case returns something that torch.save can hold."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from tests.trainers.trainer_helpers import (
    Recorder,
    checkpoint,
    curve,
    load,
    register_tiny_extractor,
    small_config,
    still_times,
    timeless,
)
from trainers import epoch as inside
from trainers.assets import Assets
from trainers.checkpoint_times import CheckpointTimes
from trainers.config import DataConfig, LossConfig, NetworkConfig
from trainers.confirm import confirm
from trainers.distributed import (
    all_reduce_sum,
    average_gradients,
    batch_mean,
    broadcast_object,
    my_slice,
    rank,
    world_size,
)
from trainers.errors import UserError
from trainers.families import FAMILIES, build_family
from trainers.loop import train
from trainers.losses import LOSSES, build_loss
from trainers.networks import NETWORKS
from trainers.networks.batchnorm import synchronise_batchnorm
from trainers.randomness import GlobalRandom
from trainers.run_report import OutOfMemoryError, RunEnd

CPU = torch.device("cpu")
# 2 ranks x 32 against 1 rank x 64, everything on that a rank could get wrong.
# Adam turns a relative error of a gradient into an absolute one of `lr`, hence the low rates.
SHARED = {
    "network.name": "smooth",
    "optimizer.lr_g": 2e-4,
    "optimizer.lr_d": 2e-4,
    "data.batch_size": 64,
    "data.image_size": 32,
    "noise.instance_sigma": 0.2,
    "optimizer.grad_clip_norm": 0.5,
    "fid.n_fake": 31,
    "fid.every": 1,
    "schedule.epochs": 4,
    "schedule.window_first": 2,
    "schedule.checkpoint_every": 1,
}


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def smooth(config: NetworkConfig, image_size: int, inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    """The DCGAN pair with SiLU in place of its ReLUs.

    Rounding turns a ReLU whose input is next to 0 on or off: one of 65,000 that did so changed the gradient of D's
    first layer by 3.5e-3, where the same step in float64 agreed to 5e-14 between one rank and two.
    """
    generator, discriminator = NETWORKS["dcgan"](config, image_size, inputs, outputs)
    for network in (generator, discriminator):
        for name, child in list(network.model.named_children()):
            if isinstance(child, nn.ReLU | nn.LeakyReLU):
                setattr(network.model, name, nn.SiLU())
    return generator, discriminator


def collectives() -> dict[str, Any]:
    """Each rank weighs the common sum differently, so that a gradient of the rank's own loss alone shows."""
    part = my_slice(6)
    x = numbers(6, 4)[part].clone().requires_grad_()
    weights = numbers(world_size(), 4, seed=1)[rank()]
    loss = (all_reduce_sum(x.square().sum(0)) ** 2 * weights).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    y = numbers(6, 4)[part].clone().requires_grad_()
    mean = batch_mean(y)
    (mean * (rank() + 1)).backward()
    wide = nn.Parameter(torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last))
    wide.grad = numbers(world_size(), 2, 3, 4, 4)[rank()].contiguous(memory_format=torch.channels_last)
    small = nn.Parameter(torch.zeros(5))
    small.grad = numbers(world_size(), 5)[rank()]
    average_gradients([wide, nn.Parameter(torch.zeros(3)), small])
    try:
        my_slice(7)
        refused = ""
    except AssertionError as error:
        refused = str(error)
    return {
        "slice": (part.start, part.stop),
        "refused": refused,
        "gradient": gradient.detach(),
        "second": second,
        "mean": mean.detach(),
        "mean_gradient": y.grad,
        "averaged": (wide.grad, small.grad),
        "said": broadcast_object({"from": rank()}),
    }


def batchnorm() -> dict[str, Any]:
    """Two training passes, gradients of a loss that treats images differently, then an evaluation."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    module = synchronise_batchnorm(nn.Sequential(nn.Identity(), norm))
    results: dict[str, Any] = {"keys": list(module.state_dict())}
    # The ranks' halves have different means and spreads, and means lie far from zero.
    images = (
        100 + numbers(8, 3, 5, 5) * torch.linspace(0.5, 3, 8)[:, None, None, None] + torch.arange(8.0).view(8, 1, 1, 1)
    )
    for step in range(2):
        x = (images + step)[my_slice(8)].clone().requires_grad_()
        out = module(x)
        (out * numbers(8, 3, 5, 5, seed=step)[my_slice(8)]).sum().backward()
        results |= {f"out_{step}": out.detach(), f"x_grad_{step}": x.grad}
    halves = module(images[my_slice(8)].bfloat16())
    results |= {"dtype": str(halves.dtype), "bf16": halves.float().detach()}
    results |= {"weight_grad": norm_of(module).weight.grad, "bias_grad": norm_of(module).bias.grad}
    results["state"] = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        results["evaluated"] = module.eval()(images[my_slice(8)])
    return results


def norm_of(module: nn.Module) -> nn.BatchNorm2d:
    return next(part for part in module.modules() if isinstance(part, nn.BatchNorm2d))


def randomness() -> dict[str, Any]:
    random = GlobalRandom(5, CPU)
    results: dict[str, Any] = {}
    for epoch in (1, 2):
        random.start_epoch(epoch)
        drawn = random.augmentation(12, DataConfig(rotation_p=0.5))
        results[f"{epoch}"] = {
            "order": random.permutation(20),
            "noise": random.normal(12, 3, 2),
            "again": random.normal(12, 3, 2),
            "flip": drawn.flip,
            "angle": drawn.angle,
            "dropout": torch.rand(4),
        }
    return results


def losses() -> dict[str, Any]:
    """Every loss on a share of the logits, its gradients (zeros where it does not look), and how real they are."""
    results = {}
    for name in LOSSES:
        loss = build_loss(LossConfig(name=name))
        for kind in ("d_loss", "g_loss"):
            real, fake = (numbers(8, 1, seed=s)[my_slice(8)].clone().requires_grad_() for s in (0, 1))
            value = getattr(loss, kind)(real, fake)
            of_real, of_fake = torch.autograd.grad(value, (real, fake), materialize_grads=True)
            scores = torch.cat(loss.realness(real.detach(), fake.detach()), dim=1)
            results[f"{name}.{kind}"] = {"value": value.detach(), "real": of_real, "fake": of_fake, "scores": scores}
    return results


def step() -> dict[str, Any]:
    """The gradients that one step applies, which no optimiser has amplified: G's are taken after D's step, so D stays.

    With the smooth pair, relative to the same step in float64 (where one rank and two agree to 2e-14): two ranks
    2.5e-6, one rank 8e-6 in channels-last order, whose BatchNorm sums 65,536 numbers in a row, 4e-6 in the other.
    """
    config = small_config({**SHARED, "optimizer.lr_d": 1e-9, "runtime.channels_last": False})
    random = GlobalRandom(config.seed, CPU)
    random.start_epoch(1)
    family = build_family(config, CPU, random)
    real = numbers(64, 3, 32, 32).clamp(-1, 1)[my_slice(64)]
    metrics = family.step(real, images_seen=0, instance_sigma=0.2)
    networks = {"g": family.generator, "d": family.discriminator}
    gradients = {f"{k}.{n}": p.grad for k, network in networks.items() for n, p in network.named_parameters()}
    return {"gradients": gradients, "metrics": metrics, "state": family.state_dict()}


class FirstRankDecides(CheckpointTimes):
    """Fails on every rank but the first; on that one a checkpoint is always due."""

    def due(self) -> bool:
        assert rank() == 0
        return True


def training(photos: Path, cache_dir: Path, run_dir: Path, overrides: dict[str, Any], *stop_at: int) -> dict[str, Any]:
    """Several epochs through `trainers.loop.train`. Only rank 0 has reports.

    Every rank reads the files at once: when `train` returns on any rank, rank 0 has written them.
    """
    recorder = Recorder(*stop_at)
    config, times = small_config({**SHARED, **overrides}), FirstRankDecides()
    outcome = train(config, Assets(photos, cache_dir, CPU), run_dir, recorder, times=times)
    return {
        "end": str(outcome.end),
        "epochs": outcome.epochs,
        "objective": outcome.objective,
        "reports": [timeless(report) for report in recorder.reports],
        "checkpoint": load(run_dir / "latest.pt"),
        "best": load(run_dir / "best.pt")["progress"],
    }


def damaged(photos: Path, cache_dir: Path, run_dir: Path) -> dict[str, Any]:
    """A run that stops after epoch 3, whose newest checkpoint then loses its second half, and that goes on."""
    training(photos, cache_dir, run_dir, {}, 3)
    if rank() == 0:
        content = (run_dir / "latest.pt").read_bytes()
        (run_dir / "latest.pt").unlink()
        (run_dir / "latest.pt").write_bytes(content[: len(content) // 2])
    return training(photos, cache_dir, run_dir, {})


def greedy(photos: Path, cache_dir: Path, run_dir: Path) -> dict[str, Any]:
    """Every rank is out of memory at its first step, so that none waits for the others."""
    FAMILIES["greedy"] = type("Greedy", (FAMILIES["adversarial"],), {"step": out_of_memory})
    recorder, assets = Recorder(), Assets(photos, cache_dir, CPU)
    try:
        ended = train(small_config({**SHARED, "family": "greedy"}), assets, run_dir, recorder)
        return {"end": str(ended.end), "detail": ended.detail, "raised": False}
    except OutOfMemoryError as error:
        return {"end": str(error.outcome.end), "detail": str(error), "raised": True}
    finally:
        del FAMILIES["greedy"]


def out_of_memory(*_: Any, **__: Any) -> dict[str, Any]:
    raise torch.OutOfMemoryError("CUDA out of memory.")


SELDOM = {"schedule.checkpoint_every": 100, "schedule.window_first": 4, "fid.every": 100}


def left(photos: Path, cache_dir: Path, run_dir: Path) -> dict[str, Any]:
    """The last rank alone is asked to leave, after epoch 2."""
    asked = iter([False, False, rank() == world_size() - 1])
    config, times = small_config({**SHARED, **SELDOM}), still_times()
    assets, recorder = Assets(photos, cache_dir, CPU), Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside.Inside, "ask", lambda *_: False)  # between epochs only
        outcome = train(config, assets, run_dir, recorder, leave=lambda: next(asked), times=times)
    epoch = load(run_dir / "latest.pt")["progress"]["epoch"]
    return {"end": str(outcome.end), "epochs": outcome.epochs, "checkpoint": epoch}


def left_inside(photos: Path, cache_dir: Path, run_dir: Path) -> dict[str, Any]:
    """The last rank alone is asked to leave, again and again inside epochs; both go on each time."""
    asked, config, recorder = itertools.count(1), small_config(SHARED), Recorder()
    leave = lambda: next(asked) % 3 == 0 and rank() == world_size() - 1  # noqa: E731
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "ASK_S", 0.0)
        while True:
            assets, times = Assets(photos, cache_dir, CPU), FirstRankDecides()
            if train(config, assets, run_dir, recorder, leave=leave, times=times).end is RunEnd.COMPLETED:
                break
            steps.append(load(run_dir / "latest.pt")["progress"]["step"])
    return {"steps": steps, "curve": curve(recorder.reports), "checkpoint": load(run_dir / "latest.pt")}


def handed_over(photos: Path, cache_dir: Path, run_dir: Path) -> dict[str, Any]:
    """All ranks stop after epoch 2, one alone goes on to epoch 3, and all finish."""
    training(photos, cache_dir, run_dir, {}, 2)
    if rank() == 0:
        process = mp.get_context("forkserver").Process(target=one_epoch_alone, args=(photos, cache_dir, run_dir))
        process.start()
        process.join()
        assert process.exitcode == 0
    broadcast_object(None)
    return training(photos, cache_dir, run_dir, {})


def one_epoch_alone(photos: Path, cache_dir: Path, run_dir: Path) -> None:
    torch.set_num_threads(1)
    register_parts()
    training(photos, cache_dir, run_dir, {}, 3)


def confirmed(photos: Path, cache_dir: Path, run_dir: Path) -> dict[str, Any]:
    """A best checkpoint measured again; 31 samples are no multiple of the ranks."""
    config = small_config({**SHARED, "schedule.epochs": 2})
    assets = Assets(photos, cache_dir, CPU)
    train(config, assets, run_dir, Recorder())
    again = confirm(assets, run_dir, 2, ("kid", "prdc"))
    return {"values": [measured.fid for measured in again], "beside": [measured.beside for measured in again]}


def started(photos: Path, cache_dir: Path, folder: Path) -> dict[str, Any]:
    """A run with all parts of another one's checkpoint, and two layers of D frozen."""
    training(photos, cache_dir, folder / "source", {"schedule.epochs": 2})
    keys = {"init.parts": "generator,discriminator,average,optimizers", "init.freeze_d_layers": 2}
    start = {"init.checkpoint": str(folder / "source" / "latest.pt"), "schedule.epochs": 2, "schedule.window_first": 1}
    result = training(photos, cache_dir, folder / "run", {**keys, **start})
    return {**result, "source": load(folder / "source" / "latest.pt")["family"]["discriminator"]}


def torn(photos: Path, cache_dir: Path, folder: Path) -> dict[str, Any]:
    """The ranks should start from one checkpoint: the first rank alone has it, then each has another."""
    assets, texts = Assets(photos, cache_dir, CPU), []
    folder.mkdir(exist_ok=True)
    for name, made in (("missing", rank() == 0), ("other", True)):
        path = folder / f"{name}{rank()}.pt"
        if made:
            checkpoint(path, small_config(SHARED), seed=rank())
        config = small_config({**SHARED, "init.checkpoint": str(path), "init.parts": "generator"})
        try:
            train(config, assets, folder / name, Recorder())
        except UserError as error:
            texts.append(str(error))
    return {"texts": texts}


def register_parts() -> None:
    register_tiny_extractor()
    NETWORKS["smooth"] = smooth


def cases(photos: Path, cache_dir: Path, folder: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    register_parts()

    def train_in(name: str, overrides: dict[str, Any], *stop_at: int) -> Callable[[], dict[str, Any]]:
        return lambda: training(photos, cache_dir, folder / name, overrides, *stop_at)

    return {
        "collectives": collectives,
        "batchnorm": batchnorm,
        "randomness": randomness,
        "losses": losses,
        "step": step,
        "train": train_in("train", {}),
        "stopped": train_in("stopped", {}, 2),
        "damaged": lambda: damaged(photos, cache_dir, folder / "damaged"),
        "greedy": lambda: greedy(photos, cache_dir, folder / "greedy"),
        "left": lambda: left(photos, cache_dir, folder / "left"),
        "left_inside": lambda: left_inside(photos, cache_dir, folder / "left_inside"),
        "handed_over": lambda: handed_over(photos, cache_dir, folder / "handed_over"),
        "confirmed": lambda: confirmed(photos, cache_dir, folder / "confirmed"),
        "started": lambda: started(photos, cache_dir, folder / "started"),
        "torn": lambda: torn(photos, cache_dir, folder / "torn"),
        "unsynchronised": train_in("unsynchronised", {"runtime.sync_batchnorm": False}),
    }


def run_rank(rank: int, ranks: int, photos: Path, cache_dir: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks)
    results = {name: case() for name, case in cases(photos, cache_dir, folder).items()}
    torch.save(results, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


def run_on_ranks(ranks: int, photos: Path, cache_dir: Path, folder: Path) -> list[dict[str, dict[str, Any]]]:
    """Run every case in gloo processes. Returns what each rank got, by case."""
    mp.start_processes(run_rank, (ranks, photos, cache_dir, folder), nprocs=ranks, start_method="forkserver")
    return [load(folder / f"rank{rank}.pt") for rank in range(ranks)]
