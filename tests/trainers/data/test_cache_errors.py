"""The errors for a folder that gives no cache."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.trainers.data.cache_helpers import build, visible
from trainers.data import build_cache, require_images
from trainers.errors import UserError


def test_missing_folder_and_file_for_folder(tmp_path: Path, cache_dir: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        build(tmp_path / "nowhere", cache_dir)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is not a directory"):
        build(tmp_path / "file", cache_dir)


def test_folder_without_usable_images(tmp_path: Path, cache_dir: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(UserError, match=r"among the 0 files in .*photos: the folder is empty"):
        build(folder, cache_dir)
    for name, content in {"a.jpg": "", "b.jpg": "", "c.jpg": "text"}.items():
        (folder / name).write_text(content)
    with pytest.raises(UserError, match=r"among the 3 files in .*photos: 2 empty, 1 not_an_image") as caught:
        build(folder, cache_dir)
    assert "\n" not in str(caught.value) and visible(cache_dir) == []


def test_too_few_images_for_a_batch(photos: Path, cache_dir: Path) -> None:
    (photos / "empty.jpg").touch()
    cache = build(photos, cache_dir)
    require_images(cache, 9)
    with pytest.raises(UserError, match=r"batch of 10: 9 usable of 10 files \(1 empty\)") as caught:
        require_images(cache, 10)
    assert str(cache.path.with_suffix(".report.json")) in str(caught.value)


def test_wrong_arguments(photos: Path, cache_dir: Path) -> None:
    with pytest.raises(UserError, match=r"unknown fit 'padd'.*did you mean pad"):
        build(photos, cache_dir, fit="padd")
    with pytest.raises(UserError, match="image_size"):
        build(photos, cache_dir, image_size=0)


def test_cache_may_not_lie_among_the_images_unless_hidden(photos: Path) -> None:
    with pytest.raises(UserError, match="lies inside"):
        build(photos, photos / "caches")
    first = build(photos, photos / ".caches")
    assert build(photos, photos / ".caches").digest == first.digest


def test_cache_that_cannot_be_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write the image cache"):
        build(photos, tmp_path / "file" / "caches")


def test_pillow_warnings_stay_inside(tmp_path: Path, cache_dir: Path, recwarn: pytest.WarningsRecorder) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (9, 9)).save(folder / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert len(build(folder, cache_dir)) == 1 and not recwarn.list


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room_is_one_line_and_keeps_nothing(tmp_path: Path, small_disk: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (40, 30), (number, 90, 120)).save(folder / f"{number}.png")
    with pytest.raises(UserError, match=r"disk of the image cache .* 40 files decoded to 32 px need up to") as caught:
        build_cache(folder, image_size=32, fit="pad", cache_dir=small_disk / "cache")
    assert "\n" not in str(caught.value) and not list(small_disk.iterdir())


def test_a_disk_that_fills_up_is_one_line_and_keeps_nothing(tmp_path: Path, small_disk: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):  # 61 of 64 kB: the estimate lets them pass, the file's own data do not fit
        Image.new("RGB", (40, 30), (number, 90, 120)).save(folder / f"{number}.png")
    with pytest.raises(UserError, match=r"the disk of .*/cache is full") as caught:
        build_cache(folder, image_size=32, fit="pad", cache_dir=small_disk / "cache")
    assert "\n" not in str(caught.value) and not list(small_disk.iterdir())
