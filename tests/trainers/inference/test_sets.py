"""Large sets of images in a folder: the same bytes however they are made, gone on with after a kill, and refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainers.trainer_helpers import checkpoint, small_config
from trainers.data import build_cache, decode_image, draw_motorbikes, to_unit_range
from trainers.errors import UserError
from trainers.inference import FinishedGenerator, Output, make_set, translate_set
from trainers.inference.sets import last_channels
from trainers.metrics import find_images

COUNT = 100
TRANSLATING = {"family": "cyclegan", "network.name": "resnet_patchgan", "loss.name": "lsgan"}


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("sets") / "best.pt", small_config())


@pytest.fixture(scope="module")
def whole(best: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set that was made without a break."""
    folder = tmp_path_factory.mktemp("whole") / "set"
    made = make_set(exact(best), COUNT, Output(folder=folder, source=str(best)))
    assert (made.images, made.found) == (COUNT, 0) and made.making_s > 0 and made.encoding_s > 0
    return folder


def exact(path: Path) -> FinishedGenerator:
    return FinishedGenerator.load(path, dtype=torch.float64)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_the_generator_s_images_in_order(best: Path, whole: Path) -> None:
    generator = exact(best)
    pixels = last_channels(generator.pixels(generator.inputs(range(COUNT))))
    files = sorted(whole.glob("*.png"))
    assert [file.name for file in files] == [f"{number:05d}.png" for number in range(COUNT)]
    assert all(np.array_equal(np.asarray(Image.open(f)), image) for f, image in zip(files, pixels, strict=True))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_same_bytes_whatever_the_batch(best: Path, whole: Path, tmp_path: Path, batch_size: int) -> None:
    make_set(exact(best), COUNT, Output(folder=tmp_path / "set", batch_size=batch_size, source=str(best)))
    assert contents(tmp_path / "set") == contents(whole)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from trainers.inference import FinishedGenerator, Output, image_files, make_set

image_files.SHARD_IMAGES = 30
renamed = 0
def audit(event, args):
    global renamed
    if event == "os.rename" and not str(args[1]).endswith(".json"):
        renamed += 1
        if renamed == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
generator = FinishedGenerator.load(sys.argv[1], dtype=torch.float64)
make_set(generator, int(sys.argv[5]), Output(folder=Path(sys.argv[2]), format=sys.argv[3]))
"""


@pytest.mark.parametrize(("kind", "files"), [("png", 41), ("parquet", 3)])
def test_a_set_killed_in_the_middle_goes_on_to_the_same_bytes(
    best: Path, tmp_path: Path, kind: str, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with SIGKILL before the file of this number got its name."""
    monkeypatch.setattr("trainers.inference.image_files.SHARD_IMAGES", 30)
    command = [sys.executable, "-c", KILLED, str(best), str(tmp_path / "killed"), kind, str(files), str(COUNT)]
    assert subprocess.run(command, check=False).returncode == -9
    left = [path for path in (tmp_path / "killed").glob("[!.]*") if path.suffix != ".json"]
    assert len(left) == files - 1
    if kind == "parquet":
        with pytest.raises(UserError, match="is unfinished: run the same"):
            find_images(tmp_path / "killed")
    else:
        left[0].write_bytes(b"")  # as a power cut may leave a file
    made = make_set(exact(best), COUNT, Output(folder=tmp_path / "killed", format=kind))
    assert made.found == (files - 1) * 30 if kind == "parquet" else made.found == files - 2
    assert made.found + made.images == COUNT
    make_set(exact(best), COUNT, Output(folder=tmp_path / "whole", format=kind))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    again = make_set(exact(best), COUNT, Output(folder=tmp_path / "killed", format=kind))
    assert (again.images, again.found) == (0, COUNT)


@pytest.mark.parametrize("kind", ["png", "webp", "parquet"])
def test_what_was_cut_off_is_made_again(best: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainers.inference.image_files.SHARD_IMAGES", 30)
    output = Output(folder=tmp_path / "set", format=kind)
    make_set(exact(best), COUNT, output)
    before = contents(tmp_path / "set")
    cut = sorted((tmp_path / "set").glob(f"*.{kind}"))[1]
    cut.write_bytes(cut.read_bytes()[:-4])
    assert make_set(exact(best), COUNT, output).images == (30 if kind == "parquet" else 1)
    assert contents(tmp_path / "set") == before


def test_two_commands_that_fill_one_folder(best: Path, tmp_path: Path) -> None:
    """The second is refused while the first works, and goes on with it afterwards."""
    output, refused = Output(folder=tmp_path / "set"), []

    def second(done: int, total: int) -> None:
        with pytest.raises(UserError, match=f"another command is filling {tmp_path / 'set'}: wait for it"):
            make_set(exact(best), COUNT, output)
        refused.append(done)

    make_set(exact(best), COUNT, replace(output, progress=second))
    assert refused and make_set(exact(best), COUNT, output).found == COUNT


@pytest.mark.parametrize("kind", ["webp", "parquet"])
def test_other_formats_hold_the_same_pixels_and_are_read_as_images(
    best: Path, whole: Path, tmp_path: Path, kind: str
) -> None:
    make_set(exact(best), COUNT, Output(folder=tmp_path / "set", format=kind))
    caches = [
        build_cache(folder, image_size=32, fit="pad", cache_dir=tmp_path / "cache")
        for folder in (whole, tmp_path / "set")
    ]
    assert all(len(cache) == COUNT and not cache.report.skipped for cache in caches)  # generated.json is no image
    numbers = np.arange(COUNT)
    assert torch.equal(caches[0].gather(numbers), caches[1].gather(numbers))
    assert len(find_images(tmp_path / "set")) == COUNT


def test_a_folder_of_something_else_is_refused_and_stays(best: Path, whole: Path, tmp_path: Path) -> None:
    before = contents(whole)
    for what, said in (
        ({"seed": 1}, "seed 0 and not 1"),
        ({"truncation": 0.5}, "truncation 1.0 and not 0.5"),
    ):
        with pytest.raises(UserError, match=said):
            make_set(exact(best), COUNT, Output(folder=whole), **what)
    with pytest.raises(UserError, match="images 100 and not 101"):
        make_set(exact(best), COUNT + 1, Output(folder=whole))
    with pytest.raises(UserError, match="format png and not webp"):
        make_set(exact(best), COUNT, Output(folder=whole, format="webp"))
    with pytest.raises(UserError, match="float32 False and not True"):
        make_set(FinishedGenerator.load(best), COUNT, Output(folder=whole))
    with pytest.raises(UserError, match="weights"):
        other = checkpoint(tmp_path / "other.pt", small_config(), seed=1)
        make_set(exact(other), COUNT, Output(folder=whole))
    assert contents(whole) == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(UserError, match=r"is not empty \(it has mine.txt\)"):
        make_set(exact(best), COUNT, Output(folder=tmp_path / "full"))
    (tmp_path / "full" / "generated.json").write_text("{")
    with pytest.raises(UserError, match=r"generated\.json is damaged"):
        make_set(exact(best), COUNT, Output(folder=tmp_path / "full"))
    with pytest.raises(UserError, match="without classes"):
        make_set(exact(best), 2, Output(folder=tmp_path / "new"), classes={"hair": "red"})
    with pytest.raises(UserError, match="cannot write images"):
        make_set(exact(best), 2, Output(folder=best / "below-a-file"))
    assert not (tmp_path / "new").exists()


def test_translations_keep_names_and_are_decoded_as_for_training(tmp_path: Path) -> None:
    config = small_config({**TRANSLATING, "data.fit": "stretch"})
    generator = exact(checkpoint(tmp_path / "best.pt", config))
    source = tmp_path / "source"
    draw_motorbikes(source, count=3, broken=False)
    (source / "inner").mkdir()
    files = sorted(source.glob("*.jpg"))
    for name in ("twice.png", "twice.bmp", "inner/other.png"):
        Image.open(files[0]).resize((50, 20)).save(source / name)
    (source / "broken.png").write_bytes(b"no image")
    made, skipped = translate_set(generator, source, "b2a", Output(folder=tmp_path / "out", batch_size=2))
    assert made.images == 6 and [(one.path, one.reason) for one in skipped] == [("broken.png", "not_an_image")]
    names = {name for name in contents(tmp_path / "out") if name.endswith("png")}
    assert names == {*(f"{file.stem}.png" for file in files), "twice.png.png", "twice.bmp.png", "inner/other.png"}
    decoded = to_unit_range(torch.from_numpy(decode_image(source / "inner" / "other.png", 32, "stretch")))[None]
    wanted = ((generator.translated(decoded, "b2a").float() + 1) * 127.5).round().to(torch.uint8)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "inner" / "other.png")), last_channels(wanted)[0])
    with pytest.raises(UserError, match="direction b2a and not a2b"):
        translate_set(generator, source, "a2b", Output(folder=tmp_path / "out"))
    with pytest.raises(UserError, match="did you mean a2b"):
        translate_set(generator, source, "a2c", Output(folder=tmp_path / "new"))
    files[0].unlink()
    with pytest.raises(UserError, match="translated"):
        translate_set(generator, source, "b2a", Output(folder=tmp_path / "out"))
    assert not (tmp_path / "new").exists()
