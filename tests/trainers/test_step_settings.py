"""What a configuration changes in the steps: instance noise, clipping, precision, memory order, labels."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import Recorder, load, small_config
from trainers.assets import Assets
from trainers.config import NoiseConfig, ScheduleConfig
from trainers.epoch import instance_sigma
from trainers.loop import train
from trainers.run_report import RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("decay", "epochs", "sigmas"),
    [
        (0.5, 10, [0.4, 0.32, 0.24, 0.16, 0.08, 0.0, 0.0, 0.0, 0.0, 0.0]),  # gone after half of 10 epochs
        (1.0, 4, [0.4, 0.3, 0.2, 0.1]),
        (0.25, 4, [0.4, 0.0, 0.0, 0.0]),
        (None, 3, [0.4, 0.4, 0.4]),
    ],
)
def test_instance_noise_decays(decay: float | None, epochs: int, sigmas: list[float]) -> None:
    noise = NoiseConfig(instance_sigma=0.4, instance_decay=decay)
    schedule = ScheduleConfig(epochs=epochs, window_first=1)
    got = [instance_sigma(noise, schedule, epoch) for epoch in range(1, epochs + 1)]
    assert got == pytest.approx(sigmas, abs=1e-12)


def short(assets: Assets, folder: Path, overrides: dict[str, Any]) -> tuple[Recorder, dict[str, Any]]:
    """Two epochs. Returns the reports and the last checkpoint."""
    recorder = Recorder()
    config = small_config({"schedule.epochs": 2, "schedule.window_first": 2, **overrides})
    assert train(config, assets, folder, recorder).end is RunEnd.COMPLETED
    return recorder, load(folder / "latest.pt")


@pytest.mark.parametrize(
    "overrides",
    [
        {"noise.instance_sigma": 0.0},
        {"noise.instance_decay": None},
        {"noise.instance_on": "real"},
        {"noise.latent_sigma": 2.0},
        {"data.flip_p": 0.0},
        {"data.rotation_p": 0.0},
        {"data.crop_margin": 0.1},
        {"data.contrast_p": 1.0},
        {"data.fit": "stretch"},
        {"loss.real_label": 1.0},
        {"loss.fake_label": 0.0},
        {"optimizer.beta1": 0.0},
        {"optimizer.lr_d": 1e-3},
        {"seed": 9},
        {"runtime.precision": "bf16"},
    ],
    ids=str,
)
def test_every_setting_reaches_the_steps(assets: Assets, tmp_path: Path, overrides: dict[str, Any]) -> None:
    base, _ = short(assets, tmp_path / "base", {})
    changed, _ = short(assets, tmp_path / "changed", overrides)
    assert changed.reports[1].metrics["d_loss"] != base.reports[1].metrics["d_loss"]


@pytest.mark.parametrize("overrides", [{"runtime.precision": "bf16"}, {"runtime.channels_last": False}], ids=str)
def test_how_it_runs_changes_rounding_only(assets: Assets, tmp_path: Path, overrides: dict[str, Any]) -> None:
    base, _ = short(assets, tmp_path / "base", {"optimizer.lr_g": 1e-4, "optimizer.lr_d": 1e-4})
    other, checkpoint = short(assets, tmp_path / "other", {"optimizer.lr_g": 1e-4, "optimizer.lr_d": 1e-4, **overrides})
    for name in ("d_loss", "g_loss", "grad_norm_d", "grad_norm_g"):
        assert other.reports[1].metrics[name] == pytest.approx(base.reports[1].metrics[name], rel=0.03)
    assert other.fids[2] == pytest.approx(base.fids[2], rel=0.03)
    assert {p.dtype for p in checkpoint["family"]["generator"].values()} == {torch.float32, torch.int64}


def test_memory_order_is_what_was_asked_for(assets: Assets, tmp_path: Path) -> None:
    for channels_last in (True, False):
        _, checkpoint = short(assets, tmp_path / str(channels_last), {"runtime.channels_last": channels_last})
        weight = checkpoint["family"]["discriminator"]["model.2.weight"]
        assert weight.is_contiguous(memory_format=torch.channels_last) is channels_last


def test_clipping_bounds_the_gradient_that_is_applied(assets: Assets, tmp_path: Path) -> None:
    """Adam's first moment is an average of applied gradients, so its norm is bounded by theirs."""
    clipped, checkpoint = short(assets, tmp_path / "clipped", {"optimizer.grad_clip_norm": 0.1})
    free, unclipped = short(assets, tmp_path / "free", {})
    for name in ("d", "g"):
        states = [each["family"][f"optimizer_{name}"]["state"].values() for each in (checkpoint, unclipped)]
        bound, unbound = (torch.cat([s["exp_avg"].reshape(-1) for s in state]).norm() for state in states)
        assert bound <= 0.1 * 1.0001 < unbound
        # What is reported is the norm before clipping: how large gradients are, not how large they may be.
        assert clipped.reports[0].metrics[f"grad_norm_{name}"] > 0.1
    assert clipped.reports[1].metrics["g_loss"] != free.reports[1].metrics["g_loss"]


def test_a_limit_above_the_gradients_changes_nothing(assets: Assets, tmp_path: Path) -> None:
    high, _ = short(assets, tmp_path / "high", {"optimizer.grad_clip_norm": 1e9})
    free, _ = short(assets, tmp_path / "free", {})
    assert high.reports[1].metrics["g_loss"] == free.reports[1].metrics["g_loss"]


def test_one_step_a_batch_and_the_rest_left_out(assets: Assets, tmp_path: Path) -> None:
    """134 images are four batches of 32 and a rest: eight updates in two epochs, and all BatchNorm passes counted."""
    _, checkpoint = short(assets, tmp_path, {})
    family = checkpoint["family"]
    for name in ("optimizer_d", "optimizer_g"):
        assert {int(state["step"]) for state in family[name]["state"].values()} == {8}
    assert family["generator"]["model.1.num_batches_tracked"] == 8
    assert family["discriminator"]["model.5.num_batches_tracked"] == 3 * 8  # real and fake in D's step, fake in G's
