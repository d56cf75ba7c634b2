"""Training reads a prepared dataset as it reads a folder."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from tests.trainers.data.cache_helpers import build, fill
from tests.trainers.data.prepare_helpers import fill_bikes, prepared
from trainers.data import ImageCache, find_files
from trainers.errors import UserError


def paths(cache: ImageCache) -> list[str]:
    return list(pa.ipc.open_file(str(cache.path)).read_all()["path"].to_pylist())


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_same_size_gives_the_images_of_the_folder(photos: Path, tmp_path: Path, cache_dir: Path, fit: str) -> None:
    prepared(photos, tmp_path / "dataset", size=24, fit=fit)
    raw, ready = build(photos, cache_dir, 24, fit), build(tmp_path / "dataset", cache_dir, 24, fit)
    assert paths(ready) == paths(raw) == find_files(photos)
    assert torch.equal(ready.gather(torch.arange(9)), raw.gather(torch.arange(9)))
    assert ready.digest != raw.digest and ready.report.skipped == ()


def test_another_size_resizes_the_squares(photos: Path, tmp_path: Path, cache_dir: Path) -> None:
    prepared(photos, tmp_path / "dataset", size=24)
    large, small = build(tmp_path / "dataset", cache_dir, 24), build(tmp_path / "dataset", cache_dir, 12)
    square = Image.fromarray(large.gather(torch.tensor([3]))[0].permute(1, 2, 0).numpy())
    expected = np.asarray(square.resize((12, 12), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(small.gather(torch.tensor([3]))[0].permute(1, 2, 0).numpy(), expected)


def test_many_shards_are_read_in_order(tmp_path: Path, cache_dir: Path) -> None:
    source = fill(tmp_path / "photos", 600)
    assert len(prepared(source, tmp_path / "dataset", size=8).manifest.shards) == 2
    raw, ready = build(source, cache_dir), build(tmp_path / "dataset", cache_dir)
    assert paths(ready) == paths(raw)
    assert torch.equal(ready.gather(torch.arange(600)), raw.gather(torch.arange(600)))


def test_digest_is_that_of_the_content(photos: Path, tmp_path: Path, cache_dir: Path) -> None:
    prepared(photos, tmp_path / "one", size=24)
    prepared(photos, tmp_path / "same", size=24)
    first = build(tmp_path / "one", cache_dir)
    calls: list[tuple[int, int]] = []
    assert build(tmp_path / "same", cache_dir, progress=lambda *c: calls.append(c)).digest == first.digest
    assert calls == []
    (photos / "0000.png").unlink()
    prepared(photos, tmp_path / "fewer", size=24)
    assert build(tmp_path / "fewer", cache_dir).digest != first.digest


def test_progress_counts_the_images(photos: Path, tmp_path: Path, cache_dir: Path) -> None:
    (photos / "text.jpg").write_text("no image")
    prepared(photos, tmp_path / "dataset")
    calls: list[tuple[int, int]] = []
    build(tmp_path / "dataset", cache_dir, progress=lambda *c: calls.append(c))
    assert calls == [(i, 9) for i in range(1, 10)]


def test_unfinished_and_damaged_datasets_are_refused(tmp_path: Path, cache_dir: Path) -> None:
    dataset = tmp_path / "dataset"
    prepared(fill_bikes(tmp_path / "photos", 3), dataset)
    manifest = (dataset / "dataset.json").read_bytes()
    (dataset / "dataset.json").unlink()
    with pytest.raises(UserError, match=r"the dataset .* is unfinished"):
        build(dataset, cache_dir)
    (dataset / "dataset.json").write_bytes(manifest)
    os.truncate(dataset / "shard-00000.parquet", 2000)
    with pytest.raises(UserError, match=r"shard-00000\.parquet is damaged"):
        build(dataset, cache_dir)


def test_tags_beside_the_images_are_no_broken_image(photos: Path, cache_dir: Path) -> None:
    before = build(photos, cache_dir)
    for name in ("tags.csv", "NOTES.CSV"):
        (photos / name).write_text("0000,red bike\n")
    (photos / "sub" / "deep.csv").write_text("a file of its own\n")
    after = build(photos, cache_dir)
    assert [file.path for file in after.report.skipped] == ["sub/deep.csv"]
    (photos / "sub" / "deep.csv").unlink()
    assert build(photos, cache_dir).digest == before.digest
