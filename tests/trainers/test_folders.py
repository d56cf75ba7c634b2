"""Private folders, and paths that stay inside one."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainers.data import build_cache, draw_synthetic
from trainers.errors import UserError
from trainers.folders import inside, make_private


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """A user whose files everybody may read."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_private_and_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o775)
    make_private(tmp_path / "shared" / "a" / "b")
    make_private(tmp_path / "shared")
    assert [mode(tmp_path / name) for name in ("shared", "shared/a", "shared/a/b")] == [0o775, 0o700, 0o700]


def test_the_cache_is_private(tmp_path: Path) -> None:
    cache = tmp_path / "home" / "gan-sweep"
    draw_synthetic("motorbikes", cache / "synthetic" / "few", count=2)
    build_cache(cache / "synthetic" / "few", image_size=8, fit="pad", cache_dir=cache / "images")
    assert [mode(cache), mode(cache / "images"), mode(tmp_path / "home")] == [0o700] * 3


def test_a_path_stays_inside(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    (tmp_path / "other").mkdir()
    (folder / "up").symlink_to(tmp_path / "other")
    (folder / "within").symlink_to(folder / "samples")
    assert inside(folder, "samples/epoch_0001.png") == folder / "samples" / "epoch_0001.png"
    assert inside(folder, "within/a.png") == folder / "within" / "a.png"
    (tmp_path / "link").symlink_to(folder)
    assert inside(tmp_path / "link", "a.png") == tmp_path / "link" / "a.png"
    for name in ("../other", "samples/../../other", str(tmp_path / "other"), "up/a.png", "up"):
        with pytest.raises(UserError, match=r"leads out of .*sweep, to .*other"):
            inside(folder, name)
    with pytest.raises(UserError) as refused:
        inside(folder, "../a\nb")
    assert "\n" not in str(refused.value)
