"""The picture of fakes beside the real images nearest to them, as the measurement of a finished run writes it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainers.trainer_helpers import Recorder, small_config
from trainers.assets import Assets
from trainers.confirm import confirm
from trainers.data import draw_synthetic
from trainers.likeness_picture import GAP, LABEL, LINE, tile_side
from trainers.loop import train

pytestmark = pytest.mark.usefixtures("one_thread")

SHORT = {"schedule.epochs": 1, "schedule.window_first": 1, "fid.every": 1}


def tile(sheet: Image.Image, row: int, column: int, size: int) -> np.ndarray:
    """Pixels [S, S, 3] of a tile of the first block."""
    side = tile_side(size)
    left = LABEL + column * (side + GAP)
    top = LINE + (0, side + GAP, side + GAP + side + LINE)[row]
    return np.asarray(sheet.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.NEAREST))


def of(assets: Assets, pixels: np.ndarray, *, held_out: bool) -> bool:
    """Whether an image is one of those on a side."""
    config = small_config({**SHORT, "data.heldout": 0.25})
    cache = assets.held_out_images(config) if held_out else assets.images(config).cache
    every = torch.cat(list(cache.batches(64))).permute(0, 2, 3, 1).numpy()
    return bool((every == pixels).all(axis=(1, 2, 3)).any())


def test_fakes_stand_above_images_of_both_sides(assets: Assets, tmp_path: Path) -> None:
    config = small_config({**SHORT, "data.heldout": 0.25})
    train(config, assets, tmp_path, Recorder())
    confirm(assets, tmp_path, 1)
    assert not (tmp_path / "samples" / "nearest.png").exists(), "no features were asked for"
    confirm(assets, tmp_path, 2, ("kid",))
    with Image.open(tmp_path / "samples" / "nearest.png") as sheet:
        for column in range(8):
            fake, training, held_out = (tile(sheet, row, column, 32) for row in range(3))
            assert of(assets, training, held_out=False) and not of(assets, training, held_out=True)
            assert of(assets, held_out, held_out=True)
            assert not of(assets, fake, held_out=False)


def test_a_translator_has_one_for_each_direction(cache_dir: Path, tmp_path: Path) -> None:
    draw_synthetic("domains", tmp_path / "pictures", count=24, broken=False)
    assets = Assets(tmp_path / "pictures", cache_dir, torch.device("cpu"))
    cyclegan = {"family": "cyclegan", "network.name": "resnet_patchgan", "loss.name": "lsgan", "data.batch_size": 8}
    train(small_config({**cyclegan, **SHORT, "fid.n_fake": 12}), assets, tmp_path / "run", Recorder())
    confirm(assets, tmp_path / "run", 1, ("kid",))
    pictures = sorted(path.name for path in (tmp_path / "run" / "samples").glob("nearest*"))
    assert pictures == ["nearest_a2b.png", "nearest_b2a.png"]


@pytest.mark.parametrize(("size", "side"), [(16, 96), (32, 96), (64, 128), (100, 100), (128, 128), (256, 128)])
def test_tiles_can_be_seen(size: int, side: int) -> None:
    assert tile_side(size) == side
