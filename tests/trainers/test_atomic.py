"""Files are replaced whole or not at all, whatever happens in the middle."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import trainers
from trainers.atomic import replacing, write_text
from trainers.samples import save_grid

ROOT = Path(trainers.__file__).parents[1]
DIES = """
import os, sys
from pathlib import Path
from trainers.atomic import replacing

with replacing(Path(sys.argv[1]), shared=sys.argv[2] == "shared") as part:
    part.write_text("half of the n")
    os.kill(os.getpid(), 9)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_a_new_file_and_another_in_its_place(tmp_path: Path, sync: bool, shared: bool) -> None:
    path = tmp_path / "notes.txt"
    for text in ("old", "new"):
        with replacing(path, sync=sync, shared=shared) as part:
            part.write_text(text)
            assert part.parent == tmp_path and part.name.startswith(".") and part.suffix == ".txt"
        assert path.read_text() == text and names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_in_the_middle_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(error, match="disk full"), replacing(path) as part:
        part.write_text("half of the n")
        assert path.read_text() == "old"
        raise error("disk full")
    assert path.read_text() == "old" and names(tmp_path) == ["notes.txt"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def killed(path: Path, how: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", DIES, str(path), how], env=environment, timeout=60)
    assert run.returncode == -signal.SIGKILL


def test_killed_processes_leave_one_file_that_the_next_removes(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    for _ in range(2):
        killed(path, "alone")
        assert path.read_text() == "old" and names(tmp_path) == [".notes.part.txt", "notes.txt"]
    with replacing(path) as part:
        assert not part.exists()
        part.write_text("new")
    assert path.read_text() == "new" and names(tmp_path) == ["notes.txt"]


def test_processes_that_share_a_file_do_not_share_its_temporary_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    killed(path, "shared")
    (theirs,) = names(tmp_path)
    with replacing(path, shared=True) as ours:
        ours.write_text("new")
        assert ours.name != theirs and names(tmp_path) == sorted([ours.name, theirs])
    assert path.read_text() == "new" and (tmp_path / theirs).read_text() == "half of the n"


def test_a_link_to_the_file_itself_leaves_no_second_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("same")
    with replacing(path) as part:
        os.link(path, part)
    assert path.read_text() == "same" and names(tmp_path) == ["notes.txt"]


def test_text_is_utf8_and_the_same_bytes(tmp_path: Path) -> None:
    for sync in (False, True):
        write_text(tmp_path / "notes.txt", "näher dran\n", sync=sync)
        assert (tmp_path / "notes.txt").read_bytes() == "näher dran\n".encode()


def test_a_picture_keeps_its_format(tmp_path: Path) -> None:
    save_grid(torch.zeros(4, 3, 8, 8), tmp_path / "samples" / "epoch_0001.png", columns=2)
    assert names(tmp_path / "samples") == ["epoch_0001.png"]
    with Image.open(tmp_path / "samples" / "epoch_0001.png") as grid:
        assert grid.format == "PNG"
