"""prepare in real processes that are killed at the worst moments, and continue."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import trainers
from tests.trainers.data.prepare_helpers import contents, fill_bikes, prepared
from trainers.data import build_cache
from trainers.data.prepare import PrepareOptions, prepare
from trainers.errors import UserError

ROOT = Path(trainers.__file__).parents[1]
FILES = 150  # two chunks of 64 and a part of the third

# os.replace is what makes a file appear; the process dies just before a given one.
DIES = """
import os, sys
from pathlib import Path
from trainers.data.prepare import PrepareOptions, prepare

def hook(event, arguments):  # os.rename has (from, to, from's folder, to's folder)
    if event == "os.rename" and os.path.basename(arguments[1]) == sys.argv[3]:
        os.kill(os.getpid(), 9)
    if event == "shutil.rmtree" and os.path.basename(arguments[0]) == sys.argv[3]:
        os.kill(os.getpid(), 9)

sys.addaudithook(hook)
prepare(Path(sys.argv[1]), Path(sys.argv[2]), PrepareOptions(size=32, dedupe=True))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fill_bikes(tmp_path_factory.mktemp("resume") / "photos", FILES)
    (folder / "0001_copy.jpg").write_bytes((folder / "0001.jpg").read_bytes())
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an uninterrupted run writes."""
    dataset = tmp_path_factory.mktemp("whole") / "dataset"
    assert prepared(photos, dataset, dedupe=True).manifest.dropped == {"duplicate": 1, "not_an_image": 1}
    return contents(dataset)


def killed_at(photos: Path, dataset: Path, name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", DIES, str(photos), str(dataset), name],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr


@pytest.mark.parametrize(
    ("name", "done"),
    [
        ("chunk-00000.parquet", 0),
        ("chunk-00002.parquet", 128),
        ("shard-00000.parquet", FILES + 2),
        ("dataset.json", FILES + 2),
    ],
)
def test_killed_run_goes_on_to_the_same_bytes(
    photos: Path, whole: dict[str, str], tmp_path: Path, name: str, done: int
) -> None:
    dataset, calls = tmp_path / "dataset", list[tuple[int, int]]()
    before = contents(photos)
    killed_at(photos, dataset, name)
    with pytest.raises(UserError, match="is unfinished"):
        build_cache(dataset, image_size=32, fit="pad", cache_dir=tmp_path / "caches")
    with pytest.raises(UserError, match="made with --size 32, not 64"):
        prepare(photos, dataset, PrepareOptions(size=64, dedupe=True))
    assert prepare(photos, dataset, PrepareOptions(size=32, dedupe=True), progress=lambda *c: calls.append(c)).created
    assert [number for number, _ in calls] == list(range(done + 1, FILES + 3))  # finished chunks are not done again
    assert contents(dataset) == whole and contents(photos) == before


def test_killed_while_tidying_up_is_done(photos: Path, whole: dict[str, str], tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    killed_at(photos, dataset, ".unfinished")
    assert not prepared(photos, dataset, dedupe=True).created
    assert contents(dataset) == whole


def test_changed_source_is_not_mixed_with_finished_chunks(photos: Path, tmp_path: Path) -> None:
    source, dataset = fill_bikes(tmp_path / "photos", 70), tmp_path / "dataset"
    killed_at(source, dataset, "chunk-00001.parquet")
    (source / "0000.jpg").unlink()
    with pytest.raises(UserError, match="made from other files"):
        prepared(source, dataset, dedupe=True)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_writes_the_same_bytes(
    photos: Path, whole: dict[str, str], tmp_path: Path, workers: int
) -> None:
    prepare(photos, tmp_path / "dataset", PrepareOptions(size=32, dedupe=True), workers=workers)
    assert contents(tmp_path / "dataset") == whole


def test_failing_progress_leaves_an_unfinished_dataset_and_no_lock(photos: Path, tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        prepare(photos, tmp_path / "dataset", PrepareOptions(size=32), progress=fail)
    assert not (tmp_path / "dataset" / "dataset.json").exists()
    assert prepared(photos, tmp_path / "dataset").created


def test_one_process_at_a_time(photos: Path, tmp_path: Path) -> None:
    told = []

    def second(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(UserError, match="another process is preparing") as caught:
                prepared(photos, tmp_path / "dataset")
            told.append(str(caught.value))

    prepare(photos, tmp_path / "dataset", PrepareOptions(size=32), progress=second)
    assert told
