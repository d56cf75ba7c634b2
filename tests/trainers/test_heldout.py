"""A run that keeps images from training: what it is measured against, and what it says of it."""

from pathlib import Path

import pytest
import torch

from tests.contracts.family_cases import ACGAN
from tests.trainers.trainer_helpers import Recorder, small_config
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.confirm import confirm
from trainers.data import draw_synthetic
from trainers.loop import train
from trainers.metric_names import NEAREST
from trainers.metrics import RealStatistics
from trainers.metrics.beside import held_out_suffix

pytestmark = pytest.mark.usefixtures("one_thread")

HELD_OUT = {"data.heldout": 0.25, "schedule.epochs": 4, "fid.every": 1}
NAMES = ("fid_tiny_n30_h25", "fid_heldout_tiny_n30_h25")


def test_fid_of_both_sides_in_the_window_and_for_the_best(assets: Assets, tmp_path: Path) -> None:
    config, recorder = small_config(HELD_OUT), Recorder()
    train(config, assets, tmp_path, recorder)
    whole, part = len(assets.images(small_config())), len(assets.images(config))
    assert 0.6 * whole < part < 0.9 * whole
    assert [one.name for one in recorder.measurements] == [NAMES[0]] * 4
    assert [list(one.beside) for one in recorder.measurements] == [[], [], [NAMES[1]], [NAMES[1]]], "window: from 3 on"
    last = recorder.measurements[-1]
    assert 0 < last.beside[NAMES[1]] != last.fid
    (again,) = confirm(assets, tmp_path, 1, ("kid",))
    nearest = {f"{name}_tiny_n30_h25" for name in NEAREST}
    assert set(again.beside) == {NAMES[1], "kid_tiny_n30_h25", "kid_deviation_tiny_n30_h25", *nearest}


def test_statistics_are_those_of_each_side(assets: Assets) -> None:
    config = small_config(HELD_OUT)
    training, held_out = assets.statistics(config), assets.held_out_statistics(config)
    whole: RealStatistics = assets.statistics(small_config())
    assert training.n + held_out.n == whole.n
    mean = (training.n * training.mean + held_out.n * held_out.mean) / whole.n
    torch.testing.assert_close(mean, whole.mean)
    assert len(assets.features(config)) == training.n


def test_each_domain_of_a_translator_holds_out_its_own(cache_dir: Path, tmp_path: Path) -> None:
    draw_synthetic("domains", tmp_path / "pictures", count=80, broken=False)
    assets, recorder = Assets(tmp_path / "pictures", cache_dir, torch.device("cpu")), Recorder()
    cyclegan = {"family": "cyclegan", "network.name": "resnet_patchgan", "loss.name": "lsgan", "data.batch_size": 8}
    short = {"schedule.epochs": 1, "schedule.window_first": 1, "fid.n_fake": 16, "data.heldout": 0.25}
    train(small_config({**cyclegan, **short}), assets, tmp_path / "run", recorder)
    (measured,) = recorder.measurements
    assert list(measured.beside) == ["fid_heldout_tiny_n16_h25"]
    assert {"fid_heldout_tiny_n16_h25_a2b", "fid_heldout_tiny_n16_h25_b2a"} < measured.per_target.keys()


def test_labels_are_those_of_the_images_that_are_left(cache_dir: Path, tmp_path: Path) -> None:
    draw_synthetic("faces", tmp_path / "pictures", count=80, broken=False)
    assets = Assets(tmp_path / "pictures", cache_dir, torch.device("cpu"))
    whole, part = small_config(ACGAN), small_config({**ACGAN, "data.heldout": 0.25})
    names = {name: tuple(row) for name, row in zip(*labelled(assets, whole), strict=True)}
    left = {name: tuple(row) for name, row in zip(*labelled(assets, part), strict=True)}
    assert 0 < len(left) < len(names) and left.items() <= names.items()


def labelled(assets: Assets, config: TrainConfig) -> tuple[list[str], list[list[int]]]:
    return assets.images(config).cache.paths(), assets.labels(config).tolist()


def test_names() -> None:
    assert [held_out_suffix(share) for share in (0.0, 0.1, 0.125)] == ["", "_h10", "_h12.5"]
