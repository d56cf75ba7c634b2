"""draw_synthetic: a whole folder or none, the same from the same seed, with the faults it promises."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import trainers
from trainers.data import SYNTHETIC, SkippedError, decode_image, draw_motorbikes, draw_synthetic, find_files
from trainers.errors import UserError

MIXED = {("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "P")}
FORMATS = {
    "motorbikes": MIXED,
    "cars": MIXED,
    "faces": {("JPEG", "RGB")},
    "domains": {("JPEG", "RGB")},
    "sprites": {("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "P")},
}
FIXED = ("broken_empty.jpg", "broken_text.jpg", "tags.csv")  # the same from every seed

every_kind = pytest.mark.parametrize("kind", SYNTHETIC)


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files, `tags.csv` among them."""
    files = sorted(path for path in folder.rglob("[!.]*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def good(folder: Path) -> list[Path]:
    return [folder / name for name in find_files(folder) if "broken" not in name and name != "tags.csv"]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of folders: 48 drawings of every kind."""
    folder = tmp_path_factory.mktemp("synthetic")
    for kind in SYNTHETIC:
        draw_synthetic(kind, folder / kind, count=48, seed=3)
    return folder


@every_kind
def test_sizes_formats_and_modes_differ(sets: Path, kind: str) -> None:
    seen = set()
    sizes = set()
    for path in good(sets / kind):
        with Image.open(path) as image:
            seen.add((image.format, image.mode))
            sizes.add(image.size)
    assert seen == FORMATS[kind]
    assert min(min(size) for size in sizes) >= (64 if kind == "sprites" else 80)
    assert len(sizes) >= (4 if kind == "sprites" else 30)
    assert len(good(sets / kind)) == (96 if kind == "domains" else 48)


def test_sprites_have_transparent_ground(sets: Path) -> None:
    corners = set()
    for path in good(sets / "sprites"):
        with Image.open(path) as image:
            pixel = image.convert("RGBA").getpixel((0, 0))
            corners.add((image.mode, image.has_transparency_data, pixel[3]))
    assert corners == {("RGBA", True, 0), ("P", True, 0), ("P", False, 255), ("RGB", False, 255)}


def test_names_and_folders(sets: Path) -> None:
    names = {kind: [path.relative_to(sets / kind).as_posix() for path in good(sets / kind)] for kind in SYNTHETIC}
    assert names["motorbikes"][0] == "bike_00000.jpg" and "more/bike_00003.jpg" in names["motorbikes"]
    assert sorted(names["faces"]) == sorted(f"{i}.jpg" for i in range(48))
    assert [sum(name.startswith(f"train{side}/") for name in names["domains"]) for side in "AB"] == [48, 48]


@every_kind
def test_broken_files_are_broken_and_the_others_are_not(sets: Path, kind: str) -> None:
    reasons = {}
    for name in contents(sets / kind):
        try:
            decode_image(sets / kind / name, 32, "pad")
        except SkippedError as error:
            reasons[name] = str(error.reason)
    assert reasons.pop("tags.csv", None) == ("not_an_image" if kind == "faces" else None)
    folder = "trainA/" if kind == "domains" else ""
    assert reasons == {
        f"{folder}broken_animated.gif": "animated",
        f"{folder}broken_empty.jpg": "empty",
        f"{folder}broken_text.jpg": "not_an_image",
        f"{folder}broken_truncated.jpg": "truncated",
        f"{folder}broken_truncated.png": "truncated",
    }


@every_kind
def test_whole_folder_when_nothing_is_broken(tmp_path: Path, kind: str) -> None:
    draw_synthetic(kind, tmp_path / "drawn", count=5, broken=False)
    assert len(good(tmp_path / "drawn")) == (10 if kind == "domains" else 5)
    assert not list((tmp_path / "drawn").rglob("broken*"))


@every_kind
def test_same_seed_same_bytes_and_another_seed_others(sets: Path, tmp_path: Path, kind: str) -> None:
    draw_synthetic(kind, tmp_path / "again", count=48, seed=3)
    draw_synthetic(kind, tmp_path / "other", count=48, seed=4)
    assert contents(tmp_path / "again") == contents(sets / kind)
    assert not set(contents(tmp_path / "other").values()) & {
        digest for name, digest in contents(sets / kind).items() if not name.endswith(FIXED)
    }


def test_draw_motorbikes_draws_motorbikes(sets: Path, tmp_path: Path) -> None:
    draw_motorbikes(tmp_path / "bikes", count=48, seed=3)
    assert contents(tmp_path / "bikes") == contents(sets / "motorbikes")
    draw_motorbikes(tmp_path / "few", count=9, seed=3, broken=False)
    assert len(find_files(tmp_path / "few")) == 9


@every_kind
def test_a_longer_set_begins_with_the_shorter(sets: Path, tmp_path: Path, kind: str) -> None:
    few = tmp_path / "few"
    draw_synthetic(kind, few, count=9, seed=3)
    shorter = {name: digest for name, digest in contents(few).items() if name != "tags.csv"}
    assert shorter.items() <= contents(sets / kind).items()
    if kind == "faces":
        assert (sets / kind / "tags.csv").read_text().startswith((few / "tags.csv").read_text())


@every_kind
def test_second_call_touches_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "drawn"
    draw_synthetic(kind, folder, count=6)
    before = {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}
    draw_synthetic(kind, folder, count=6)
    assert {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))} == before
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    draw_motorbikes(tmp_path, count=3, broken=False)
    assert len(find_files(tmp_path)) == 3


@pytest.mark.parametrize("other", [{"count": 7}, {"seed": 1}, {"broken": False}, {"kind": "cars"}])
def test_another_set_is_not_overwritten(tmp_path: Path, other: dict[str, object]) -> None:
    first = {"kind": "motorbikes", "directory": tmp_path / "drawn", "count": 6}
    draw_synthetic(**first)  # type: ignore[arg-type]
    before = contents(tmp_path / "drawn")
    with pytest.raises(UserError, match="not empty"):
        draw_synthetic(**{**first, **other})  # type: ignore[arg-type]
    assert contents(tmp_path / "drawn") == before


@every_kind
def test_incomplete_or_foreign_folders_are_refused(tmp_path: Path, kind: str) -> None:
    for name in ("picture", "broken", "tags.csv" if kind == "faces" else "last"):
        draw_synthetic(kind, tmp_path / name, count=6)
    good(tmp_path / "picture")[0].unlink()
    next((tmp_path / "broken").rglob("broken*")).unlink()
    if kind == "faces":
        (tmp_path / "tags.csv" / "tags.csv").unlink()
    else:
        good(tmp_path / "last")[-1].unlink()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").touch()
    (tmp_path / "file").touch()
    for path in tmp_path.iterdir():
        with pytest.raises(UserError, match=f"{path.name} is not empty"):
            draw_synthetic(kind, path, count=6)


def test_count_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1, got 0"):
        draw_motorbikes(tmp_path / "bikes", count=0)


def test_unknown_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'face': did you mean faces[?] valid: cars, domains, faces, motor"):
        draw_synthetic("face", tmp_path / "drawn")
    assert not list(tmp_path.iterdir())


def start(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
    root = Path(trainers.__file__).parents[1]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE)


@pytest.mark.parametrize("kind", ["motorbikes", "domains"])
def test_killed_in_the_middle_leaves_no_folder(tmp_path: Path, kind: str) -> None:
    code = """
import os, sys
from dataclasses import replace
from pathlib import Path
from trainers.data.synthetic import SYNTHETIC, draw_synthetic
kind = sys.argv[2]
save = SYNTHETIC[kind].save
def save_or_die(folder, index, random):
    if index == 20:
        os.kill(os.getpid(), 9)
    save(folder, index, random)
SYNTHETIC[kind] = replace(SYNTHETIC[kind], save=save_or_die)
draw_synthetic(kind, Path(sys.argv[1]), count=40)
"""
    process = start(code, tmp_path / "drawn", kind)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "drawn").exists()
    draw_synthetic(kind, tmp_path / "drawn", count=40)
    assert len(good(tmp_path / "drawn")) == (80 if kind == "domains" else 40)


@pytest.mark.parametrize("kind", ["motorbikes", "faces"])
def test_two_processes_at_once(tmp_path: Path, kind: str) -> None:
    code = """
import sys
from pathlib import Path
from trainers.data import draw_synthetic
draw_synthetic(sys.argv[2], Path(sys.argv[1]), count=60)
"""
    processes = [start(code, tmp_path / "drawn", kind) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"] and len(good(tmp_path / "drawn")) == 60
