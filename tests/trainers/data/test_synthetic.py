"""draw_motorbikes: a whole folder or none, the same from the same seed, with the faults it promises."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import trainers
from trainers.data import SkippedError, decode_image, draw_motorbikes, find_files
from trainers.errors import UserError


def contents(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in find_files(folder)}


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "bikes"
    draw_motorbikes(folder, count=48, seed=3)
    return folder


def good(folder: Path) -> list[Path]:
    return [folder / name for name in find_files(folder) if "broken" not in name]


def test_sizes_formats_and_modes_differ(bikes: Path) -> None:
    seen = set()
    sizes = set()
    for path in good(bikes):
        with Image.open(path) as image:
            seen.add((image.format, image.mode))
            sizes.add(image.size)
    assert seen == {("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "P")}
    ratios = [w / h for w, h in sizes]
    assert len(sizes) > 30 and max(ratios) > 1.4 and min(ratios) < 1.2
    assert any("/" in name for name in find_files(bikes)) and len(good(bikes)) == 48


def test_broken_files_are_broken_and_the_others_are_not(bikes: Path) -> None:
    reasons = {}
    for name in find_files(bikes):
        try:
            decode_image(bikes / name, 32, "pad")
        except SkippedError as error:
            reasons[name] = str(error.reason)
    assert reasons == {
        "broken_animated.gif": "animated",
        "broken_empty.jpg": "empty",
        "broken_text.jpg": "not_an_image",
        "broken_truncated.jpg": "truncated",
        "broken_truncated.png": "truncated",
    }


def test_whole_folder_when_nothing_is_broken(tmp_path: Path) -> None:
    draw_motorbikes(tmp_path / "bikes", count=5, broken=False)
    assert len(find_files(tmp_path / "bikes")) == 5


def test_every_picture_is_a_motorbike(bikes: Path) -> None:
    """Dark tyres low on the left and on the right, light ground above; and no two pictures alike."""
    images = np.stack([decode_image(path, 32, "stretch") for path in good(bikes)]).astype(float)
    mean = images.mean((0, 1))
    wheels = mean[16:27, 2:12].mean(), mean[16:27, 20:30].mean()
    assert max(wheels) < mean[:4].mean() - 30
    assert min(np.abs(a - b).mean() for i, a in enumerate(images) for b in images[:i]) > 2


def test_same_seed_same_bytes_and_another_seed_others(bikes: Path, tmp_path: Path) -> None:
    draw_motorbikes(tmp_path / "again", count=48, seed=3)
    draw_motorbikes(tmp_path / "other", count=48, seed=4)
    assert contents(tmp_path / "again") == contents(bikes)
    assert not set(contents(tmp_path / "other").values()) & {
        digest for name, digest in contents(bikes).items() if name not in ("broken_empty.jpg", "broken_text.jpg")
    }


def test_a_longer_set_begins_with_the_shorter(bikes: Path, tmp_path: Path) -> None:
    draw_motorbikes(tmp_path / "few", count=9, seed=3)
    assert contents(tmp_path / "few").items() <= contents(bikes).items()


def test_second_call_touches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bikes"
    draw_motorbikes(folder, count=6)
    before = {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}
    draw_motorbikes(folder, count=6)
    assert {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))} == before
    assert [path.name for path in tmp_path.iterdir()] == ["bikes"]


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    draw_motorbikes(tmp_path, count=3, broken=False)
    assert len(find_files(tmp_path)) == 3


@pytest.mark.parametrize("other", [{"count": 7}, {"count": 6, "seed": 1}, {"count": 6, "broken": False}])
def test_another_set_is_not_overwritten(tmp_path: Path, other: dict[str, int]) -> None:
    draw_motorbikes(tmp_path / "bikes", count=6)
    before = contents(tmp_path / "bikes")
    with pytest.raises(UserError, match="not empty"):
        draw_motorbikes(tmp_path / "bikes", **other)  # type: ignore[arg-type]
    assert contents(tmp_path / "bikes") == before


def test_incomplete_or_foreign_folders_are_refused(tmp_path: Path) -> None:
    draw_motorbikes(tmp_path / "bikes", count=6)
    good(tmp_path / "bikes")[0].unlink()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").touch()
    (tmp_path / "file").touch()
    for name in ("bikes", "mine", "file"):
        with pytest.raises(UserError, match=f"{name} is not empty"):
            draw_motorbikes(tmp_path / name, count=6)


def test_count_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1, got 0"):
        draw_motorbikes(tmp_path / "bikes", count=0)


def start(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
    root = Path(trainers.__file__).parents[1]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE)


def test_killed_in_the_middle_leaves_no_folder(tmp_path: Path) -> None:
    code = """
import os, sys, trainers.data.synthetic as synthetic
from pathlib import Path
draw = synthetic.draw_motorbike
def draw_or_die(random, drawn=[]):
    drawn.append(1)
    if len(drawn) == 20:
        os.kill(os.getpid(), 9)
    return draw(random)
synthetic.draw_motorbike = draw_or_die
synthetic.draw_motorbikes(Path(sys.argv[1]), count=40)
"""
    process = start(code, tmp_path / "bikes")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "bikes").exists()
    draw_motorbikes(tmp_path / "bikes", count=40)
    assert len(good(tmp_path / "bikes")) == 40


def test_two_processes_at_once(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from trainers.data import draw_motorbikes
draw_motorbikes(Path(sys.argv[1]), count=60)
"""
    processes = [start(code, tmp_path / "bikes") for _ in range(2)]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert [path.name for path in tmp_path.iterdir()] == ["bikes"] and len(good(tmp_path / "bikes")) == 60
