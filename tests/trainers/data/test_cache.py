"""build_cache and ImageCache on real folders, in real processes, with real damage."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
import torch
from filelock import FileLock
from PIL import Image

import trainers
from tests.trainers.data.cache_helpers import build, visible
from trainers.data import ImageCache, SkippedFile, decode_image, draw_motorbikes
from trainers.data.cache import FORMAT_VERSION
from trainers.data.decode import FITS
from trainers.data.manifest import VERSION
from trainers.errors import UserError

ROOT = Path(trainers.__file__).parents[1]


def test_gather_equals_direct_decoding(many: tuple[Path, ImageCache]) -> None:
    photos, cache = many
    names = pa.ipc.open_file(str(cache.path)).read_all()["path"].to_pylist()
    assert len(cache) == len(names) == 600 and names == sorted(names)
    indices = torch.tensor([599, 0, 63, 64, 575, 576, 3, 3, 300])
    images = cache.gather(indices)
    assert images.dtype == torch.uint8 and images.shape == (9, 3, 8, 8)
    for image, i in zip(images, indices.tolist(), strict=True):
        np.testing.assert_array_equal(image.numpy(), decode_image(photos / names[i], 8, "pad"))


def test_gather_takes_arrays_and_nothing(many: tuple[Path, ImageCache]) -> None:
    _, cache = many
    assert torch.equal(cache.gather(np.array([300, 2])), cache.gather(torch.tensor([300, 2])))
    assert cache.gather(torch.empty(0, dtype=torch.int64)).shape == (0, 3, 8, 8)


def test_gather_gives_memory_of_its_own(many: tuple[Path, ImageCache]) -> None:
    _, cache = many
    before = cache.gather(torch.tensor([5]))
    cache.gather(torch.tensor([5])).zero_()
    assert before.any() and torch.equal(cache.gather(torch.tensor([5])), before)


@pytest.mark.parametrize("bad", [[-1], [-64], [600], [0, 10**12], [[0, 1]], [0.5], [True]])
def test_gather_rejects_wrong_indices(many: tuple[Path, ImageCache], bad: list[object]) -> None:
    with pytest.raises(IndexError):
        many[1].gather(torch.tensor(bad))


@pytest.mark.parametrize("batch_size", [7, 256, 600, 1000])
def test_batches_are_everything_in_order(many: tuple[Path, ImageCache], batch_size: int) -> None:
    _, cache = many
    batches = list(cache.batches(batch_size))
    assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1) and 0 < len(batches[-1]) <= batch_size
    assert torch.equal(torch.cat(batches), cache.gather(torch.arange(600)))


def test_pickle_holds_the_path_only(many: tuple[Path, ImageCache]) -> None:
    _, cache = many
    pickled = pickle.dumps(cache)
    copy = pickle.loads(pickled)
    assert len(pickled) < 1000 and copy.report == cache.report
    assert torch.equal(copy.gather(torch.arange(600)), cache.gather(torch.arange(600)))


def test_attributes_and_report(photos: Path, cache_dir: Path) -> None:
    (photos / "sub" / "empty.jpg").touch()
    (photos / "text.jpg").write_text("no image")
    cache = build(photos, cache_dir)
    assert visible(cache_dir) == [f"{cache.digest}.arrow", f"{cache.digest}.report.json"]
    assert cache.path == cache_dir / f"{cache.digest}.arrow" and cache.image_size == 8 and len(cache) == 9
    assert cache.report.skipped == (
        SkippedFile(path="sub/empty.jpg", reason="empty", detail="zero bytes"),
        SkippedFile(path="text.jpg", reason="not_an_image", detail="no image format recognised"),
    )
    assert cache.report.summary() == "9 usable of 11 files (1 empty, 1 not_an_image)"
    written = json.loads((cache_dir / f"{cache.digest}.report.json").read_text())
    assert written["source"] == str(photos) and written["usable"] == 9 and len(written["skipped"]) == 2
    assert ImageCache.open(cache.path).report == cache.report


def test_every_file_of_a_faulty_folder_is_accounted_for(tmp_path: Path, cache_dir: Path) -> None:
    draw_motorbikes(tmp_path / "bikes", count=16)
    cache = build(tmp_path / "bikes", cache_dir)
    assert len(cache) == 16
    assert {file.path: file.reason for file in cache.report.skipped} == {
        "broken_animated.gif": "animated",
        "broken_empty.jpg": "empty",
        "broken_text.jpg": "not_an_image",
        "broken_truncated.jpg": "truncated",
        "broken_truncated.png": "truncated",
    }


def test_name_that_is_not_utf8(photos: Path, cache_dir: Path) -> None:
    shutil.copy(photos / "0000.png", os.fsencode(photos) + b"/\xff.png")
    (Path(os.fsdecode(os.fsencode(photos) + b"/\xfe.png"))).touch()
    cache = build(photos, cache_dir)
    assert len(cache) == 10 and cache.report.skipped[0].path == "\ufffd.png"


@pytest.mark.parametrize("workers", [1, 3])
def test_progress_counts_every_file_and_the_order_is_kept(
    many: tuple[Path, ImageCache], tmp_path: Path, calls: list[tuple[int, int]], workers: int
) -> None:
    photos, cache = many
    again = build(photos, tmp_path, workers=workers, progress=lambda *c: calls.append(c))
    assert calls == [(i, 600) for i in range(1, 601)]
    assert again.path.read_bytes() == cache.path.read_bytes()


# Digest


def test_digest_does_not_depend_on_the_place(photos: Path, cache_dir: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(photos, moved)
    first, second = build(moved, cache_dir), build(photos, cache_dir)
    assert first.digest == second.digest and first.path == second.path
    assert [cache.report.source for cache in (first, second)] == [str(moved), str(photos)], "each names its own folder"


def changes(photos: Path) -> Iterator[None]:
    content = bytearray((photos / "0000.png").read_bytes())
    content[-1] ^= 1
    (photos / "0000.png").write_bytes(content)
    yield
    (photos / "0001.png").rename(photos / "0001.jpg")  # at the same place in the order
    yield
    (photos / "new.txt").touch()
    yield
    (photos / "new.txt").unlink()
    (photos / "sub" / "0002.png").unlink()
    yield


def test_digest_changes_with_content_names_size_and_fit(photos: Path, cache_dir: Path) -> None:
    digests = [build(photos, cache_dir).digest, build(photos, cache_dir, 16).digest]
    digests.append(build(photos, cache_dir, fit="stretch").digest)
    digests += [build(photos, cache_dir).digest for _ in changes(photos)]
    assert len(set(digests)) == 7


def test_other_pixels_need_another_format_version(tmp_path: Path) -> None:
    """Raise FORMAT_VERSION, and the preparation's VERSION, with the checksum: caches of before must not be reused."""
    values = np.arange(40 * 31 * 3).reshape(31, 40, 3) * 7919 % 256
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "a.png")
    pixels = b"".join(decode_image(tmp_path / "a.png", size, fit).tobytes() for fit in FITS for size in (16, 96))
    assert (FORMAT_VERSION, VERSION, crc32(pixels)) == (2, 2, 601295110)


def test_swapped_contents_change_the_digest(photos: Path, cache_dir: Path) -> None:
    before = build(photos, cache_dir).digest
    (photos / "0000.png").rename(photos / "x")
    (photos / "0001.png").rename(photos / "0000.png")
    (photos / "x").rename(photos / "0001.png")
    assert build(photos, cache_dir).digest != before


# Once, whole, or not at all


def test_second_call_decodes_nothing(photos: Path, cache_dir: Path, calls: list[tuple[int, int]]) -> None:
    first = build(photos, cache_dir)
    written = first.path.stat().st_mtime_ns
    second = build(photos, cache_dir, progress=lambda *c: calls.append(c))
    assert calls == [] and second.path.stat().st_mtime_ns == written and second.report == first.report


def damage_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def damage_one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(bytes(64)) if bytes(64) in content else len(content) // 2] ^= 1
    path.write_bytes(content)


def damage_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".arrow", ".report.json"])
@pytest.mark.parametrize("damage", [damage_half, damage_zeros, damage_empty, Path.unlink])
def test_damaged_cache_is_refused_and_rebuilt(
    photos: Path, cache_dir: Path, calls: list[tuple[int, int]], suffix: str, damage: object
) -> None:
    cache = build(photos, cache_dir)
    expected = cache.gather(torch.arange(9))
    damage(cache.path.with_suffix(suffix))  # type: ignore[operator]
    with pytest.raises(UserError, match="not a complete image cache"):
        ImageCache.open(cache.path)
    again = build(photos, cache_dir, progress=lambda *c: calls.append(c))
    assert len(calls) == 9 and torch.equal(again.gather(torch.arange(9)), expected)


def test_one_wrong_bit_is_found_and_rebuilt(photos: Path, cache_dir: Path) -> None:
    cache = build(photos, cache_dir)
    expected = cache.gather(torch.arange(9))
    damage_one_bit(cache.path)
    assert not torch.equal(ImageCache.open(cache.path).gather(torch.arange(9)), expected)
    assert torch.equal(build(photos, cache_dir).gather(torch.arange(9)), expected)


def test_report_of_another_cache_is_refused(photos: Path, cache_dir: Path) -> None:
    cache, larger = build(photos, cache_dir, 8), build(photos, cache_dir, 16)
    (photos / "0000.png").unlink()
    fewer = build(photos, cache_dir, 8)
    for other in (larger, fewer):
        shutil.copy(other.path.with_suffix(".report.json"), cache.path.with_suffix(".report.json"))
        with pytest.raises(UserError, match="not a complete image cache"):
            ImageCache.open(cache.path)


BUILDER = """
import os, sys
from pathlib import Path
from trainers.data import build_cache

decoded = 0
def progress(done, total):
    global decoded
    decoded = done
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), 9)

print("ready", flush=True)
sys.stdin.readline()
cache = build_cache(Path(sys.argv[1]), image_size=8, fit="pad", cache_dir=Path(sys.argv[2]), progress=progress)
print(decoded, cache.digest, len(cache), flush=True)
"""


def start_builder(photos: Path, cache_dir: Path, die_at: int = -1) -> "subprocess.Popen[str]":
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(photos), str(cache_dir), str(die_at)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert builder.stdout is not None and builder.stdout.readline() == "ready\n"
    return builder


def test_two_processes_decode_once(many: tuple[Path, ImageCache], tmp_path: Path) -> None:
    photos, cache = many
    builders = [start_builder(photos, tmp_path) for _ in range(2)]
    for builder in builders:
        assert builder.stdin is not None
        builder.stdin.write("go\n")
        builder.stdin.flush()
    answers = sorted((builder.communicate(timeout=60)[0].split() for builder in builders), key=lambda a: int(a[0]))
    assert answers == [["0", cache.digest, "600"], ["600", cache.digest, "600"]]


def test_killed_builder_leaves_nothing_that_looks_complete(many: tuple[Path, ImageCache], tmp_path: Path) -> None:
    photos, cache = many
    builder = start_builder(photos, tmp_path, die_at=550)  # eight record batches are on disk by then
    builder.communicate("go\n", timeout=60)
    assert builder.returncode == -signal.SIGKILL
    assert visible(tmp_path) == [f".{cache.digest}.part.arrow"]
    again = build(photos, tmp_path)
    assert len(again) == 600 and visible(tmp_path) == [f"{cache.digest}.arrow", f"{cache.digest}.report.json"]


def test_failing_builder_cleans_up(photos: Path, cache_dir: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        build(photos, cache_dir, progress=fail)
    assert visible(cache_dir) == []
    with FileLock(next(cache_dir.glob("*.lock")), timeout=0):
        pass  # and releases the lock


def test_memory_does_not_grow_with_the_folder(many: tuple[Path, ImageCache], tmp_path: Path) -> None:
    """600 images of 256 px are 118 MB; one record batch, its copy and the files ahead are 38 MB."""
    script = """
import resource, sys, trainers.data
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
trainers.data.build_cache(Path(sys.argv[1]), image_size=int(sys.argv[3]), fit="pad", cache_dir=Path(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    command = [sys.executable, "-c", script, str(many[0]), str(tmp_path), "256"]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert int(run.stdout) < 80, run.stderr


@pytest.mark.skipif("GAN_SWEEP_MOTORBIKES" not in os.environ, reason="GAN_SWEEP_MOTORBIKES names no folder of photos")
def test_real_photographs(cache_dir: Path) -> None:
    photos = Path(os.environ["GAN_SWEEP_MOTORBIKES"])
    cache = build(photos, cache_dir, 128)
    assert len(cache) >= 0.9 * (len(cache) + len(cache.report.skipped)), cache.report.summary()
    names = pa.ipc.open_file(str(cache.path)).read_all()["path"].to_pylist()
    last = len(cache) - 1
    np.testing.assert_array_equal(
        cache.gather(torch.tensor([last]))[0].numpy(), decode_image(photos / names[last], 128, "pad")
    )
    means = torch.cat([batch.float().mean((1, 2, 3)) for batch in cache.batches(64)])
    assert 20 < means.mean() < 235 and means.std() > 1  # photographs, neither all black nor all alike
