"""Measuring a best checkpoint again: other latents, the same generator."""

import statistics
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import Recorder, small_config
from trainers.assets import Assets
from trainers.checkpoint import BEST
from trainers.confirm import confirm
from trainers.data import draw_synthetic
from trainers.errors import UserError
from trainers.loop import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def trained(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder]:
    """A finished run's directory, and its reports."""
    folder, recorder = tmp_path_factory.mktemp("confirm") / "run", Recorder()
    train(small_config({"fid.n_fake": 200, "fid.every": 1}), assets, folder, recorder)
    return folder, recorder


def confirmed(assets: Assets, folder: Path, seeds: int) -> list[float]:
    return [measured.fid for measured in confirm(assets, folder, seeds)]


def test_every_seed_has_its_own_value_the_same_at_every_call(trained: tuple[Path, Recorder], assets: Assets) -> None:
    folder, recorder = trained
    values = confirmed(assets, folder, 3)
    assert len(set(values)) == 3
    assert confirmed(assets, folder, 2) == values[:2]
    best = recorder.reports[-1].objective
    assert best is not None and best not in values  # not the latents of the training
    assert statistics.mean(values) == pytest.approx(best, rel=0.3)  # the same generator, though


def test_it_is_the_best_epochs_generator(assets: Assets, tmp_path: Path) -> None:
    """A run stopped at its best epoch has the same values; latest.pt, which is not needed, is gone."""
    swinging: dict[str, Any] = {"fid.every": 1, "schedule.window_first": 1}
    swinging |= {"optimizer.lr_g": 0.04, "optimizer.lr_d": 0.04}
    whole = Recorder()
    train(small_config(swinging), assets, tmp_path / "whole", whole)
    best = whole.reports[-1].best_epoch
    assert best is not None and best < 6
    train(small_config(swinging), assets, tmp_path / "until", Recorder(best))
    (tmp_path / "whole" / "latest.pt").unlink()
    assert confirmed(assets, tmp_path / "whole", 2) == confirmed(assets, tmp_path / "until", 2)


def test_the_window_s_protocol_is_measured(assets: Assets, tmp_path: Path) -> None:
    """`n_fake` samples, however few the first measurements had."""
    for name, first in (("racing", 8), ("full", None)):
        train(small_config({"fid.n_fake_first": first}), assets, tmp_path / name, Recorder())
    assert confirmed(assets, tmp_path / "racing", 1) == confirmed(assets, tmp_path / "full", 1)


def test_without_latents_once_is_enough(cache_dir: Path, tmp_path: Path) -> None:
    """CycleGAN translates the same images whatever the seed: one value, and it is the training's own."""
    draw_synthetic("domains", tmp_path / "pictures", count=24, broken=False)
    assets = Assets(tmp_path / "pictures", cache_dir, torch.device("cpu"))
    recorder = Recorder()
    cyclegan = {"family": "cyclegan", "network.name": "resnet_patchgan", "loss.name": "lsgan", "data.batch_size": 8}
    short = {"schedule.epochs": 1, "schedule.window_first": 1, "fid.n_fake": 16}
    train(small_config({**cyclegan, **short}), assets, tmp_path / "run", recorder)
    assert confirmed(assets, tmp_path / "run", 3) == pytest.approx([recorder.reports[-1].objective], rel=1e-6)
    metrics = recorder.reports[-1].logged
    assert metrics["diversity"] == min(metrics["diversity_a2b"], metrics["diversity_b2a"])
    assert recorder.fids[1] == pytest.approx((metrics["fid_tiny_n16_a2b"] + metrics["fid_tiny_n16_b2a"]) / 2)


def test_what_is_measured_beside_fid(trained: tuple[Path, Recorder], assets: Assets) -> None:
    """On the same fakes, so FID stays what it is; each set of latents has its own values."""
    folder, _ = trained
    first, second = confirm(assets, folder, 2, ("kid", "prdc"))
    names = [f"{name}_tiny_n200_k5" for name in ("precision", "recall", "density", "coverage")]
    assert list(first.beside) == ["kid_tiny_n200", "kid_deviation_tiny_n200", *names]
    assert first.beside != second.beside
    assert [first.fid, second.fid] == confirmed(assets, folder, 2)
    assert confirm(assets, folder, 1)[0].beside == {}


def test_neighbourhoods_are_those_of_the_run(trained: tuple[Path, Recorder], assets: Assets, tmp_path: Path) -> None:
    """A checkpoint of before has no such key, and then they are of 5."""
    content = torch.load(trained[0] / BEST, weights_only=True)
    fid = content["config"]["fid"]
    del fid["neighbours"]
    names = []
    for folder, own in (("three", {"neighbours": 3}), ("before", {})):
        content["config"]["fid"] = {**fid, **own}
        (tmp_path / folder).mkdir()
        torch.save(content, tmp_path / folder / BEST)
        names.append(confirm(assets, tmp_path / folder, 1, ("prdc",))[0].beside.keys())
    assert [{name[-3:] for name in one} for one in names] == [{"_k3"}, {"_k5"}]


def test_a_run_without_a_best_checkpoint(assets: Assets, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint at .*best\.pt"):
        confirmed(assets, tmp_path, 1)
