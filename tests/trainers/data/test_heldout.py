"""What is held out from training: chosen by content, the same under any name, and never trained on."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from trainers.data import ImageCache, build_cache, draw_synthetic, split
from trainers.data.heldout import Part
from trainers.data.prepare import PrepareOptions, prepare
from trainers.errors import UserError


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "faces"
    draw_synthetic("faces", folder, count=60, broken=False)
    return folder


def cached(folder: Path, cache_dir: Path, fit: str = "pad") -> ImageCache:
    return build_cache(folder, image_size=32, fit=fit, cache_dir=cache_dir)


def parts(folder: Path, cache_dir: Path, share: float = 0.25, seed: int = 0, fit: str = "pad") -> tuple[Part, Part]:
    return split(cached(folder, cache_dir, fit), folder, share, seed, batch=8)


def pixels(part: ImageCache) -> set[bytes]:
    return {image.tobytes() for batch in part.batches(7) for image in batch.numpy()}


def test_every_image_is_on_one_side(pictures: Path, tmp_path: Path) -> None:
    whole = cached(pictures, tmp_path)
    training, held_out = parts(pictures, tmp_path)
    assert len(training) + len(held_out) == len(whole) == 60 and 8 <= len(held_out) <= 25
    assert not pixels(training) & pixels(held_out) and pixels(training) | pixels(held_out) == pixels(whole)
    assert sorted([*training.paths(), *held_out.paths()]) == sorted(whole.paths())
    assert len({whole.digest, training.digest, held_out.digest}) == 3, "so each has statistics of its own"
    last = len(held_out) - 1
    place = whole.paths().index(held_out.paths()[last])
    assert torch.equal(held_out.gather(np.array([last])), whole.gather(np.array([place])))
    with pytest.raises(IndexError):
        held_out.gather(np.array([len(held_out)]))
    again = pickle.loads(pickle.dumps(held_out))
    assert (again.digest, pixels(again)) == (held_out.digest, pixels(held_out))


def test_content_decides_and_not_the_name(pictures: Path, tmp_path: Path) -> None:
    """Other names, another order and folder, another size and fit, and copies."""
    _, held_out = parts(pictures, tmp_path / "cache")
    other = tmp_path / "other"
    (other / "deep").mkdir(parents=True)
    images = [file for file in pictures.rglob("*") if file.is_file() and file.suffix != ".csv"]
    for number, file in enumerate(sorted(images, reverse=True)):
        shutil.copyfile(file, other / "deep" / f"{number:03d}{file.suffix}")
        shutil.copyfile(file, other / f"copy_{file.name}")
    training, renamed = parts(other, tmp_path / "cache")
    assert pixels(renamed) == pixels(held_out) and len(renamed) == 2 * len(held_out)
    assert not pixels(training) & pixels(renamed), "no copy is on the other side"
    _, stretched = parts(pictures, tmp_path / "cache", fit="stretch")
    assert stretched.paths() == held_out.paths() and stretched.digest != held_out.digest


def test_the_seed_and_the_share_decide_too(pictures: Path, tmp_path: Path) -> None:
    _, first = parts(pictures, tmp_path)
    _, other = parts(pictures, tmp_path, seed=1)
    _, more = parts(pictures, tmp_path, share=0.5)
    assert set(first.paths()) != set(other.paths()) and first.digest != other.digest
    assert set(first.paths()) < set(more.paths()), "a larger share holds out more, and the same"


def test_a_prepared_dataset_too(pictures: Path, tmp_path: Path) -> None:
    prepare(pictures, tmp_path / "prepared", PrepareOptions(size=32))
    training, held_out = parts(tmp_path / "prepared", tmp_path / "cache")
    assert len(training) + len(held_out) == len(cached(tmp_path / "prepared", tmp_path / "cache"))
    assert not pixels(training) & pixels(held_out)


def test_too_few_on_a_side_are_refused(pictures: Path, tmp_path: Path) -> None:
    cache = cached(pictures, tmp_path)
    with pytest.raises(UserError, match=r"^data\.heldout 0\.01 keeps \d of the 60 images in .*, and needs at least 8"):
        split(cache, pictures, 0.01, 0, batch=8)
    with pytest.raises(UserError, match=r"^data\.heldout 0\.25 leaves \d\d of the 60 .*fewer than one batch of 60: "):
        split(cache, pictures, 0.25, 0, batch=60)
