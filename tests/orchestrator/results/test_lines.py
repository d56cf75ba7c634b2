"""Append-only files: whole lines survive whatever tears the last one."""

import multiprocessing
import os
import signal
import subprocess
from errno import EIO
from pathlib import Path

import pytest

from orchestrator.results.lines import LineReader, LineWriter
from trainers.errors import UserError


def test_lines_are_read_once_each(tmp_path: Path) -> None:
    reader = LineReader(tmp_path / "log")
    assert reader.read() == []
    writer = LineWriter(tmp_path / "log")
    writer.append({"n": 1})
    assert reader.read() == [{"n": 1}]
    writer.append({"n": 2})
    writer.append({"n": 3})
    assert LineReader(tmp_path / "log", reader.offset).read() == [{"n": 2}, {"n": 3}]
    assert reader.read(most=1) == [{"n": 2}]
    assert reader.read_with_ends() == [({"n": 3}, os.stat(tmp_path / "log").st_size)]
    assert reader.read() == []


@pytest.mark.parametrize("torn", [b'{"n": 2', b'{"n": 2}', b"x" * 100_000])
def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next_writer(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "log"
    file.write_bytes(b'{"n":1}\n' + torn)
    reader = LineReader(file)
    assert reader.read() == [{"n": 1}]
    LineWriter(file).append({"n": 3})
    assert reader.read() == [{"n": 3}]
    assert file.read_bytes() == b'{"n":1}\n{"n":3}\n'


def test_a_torn_first_line_is_cut_off_too(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"n"')
    LineWriter(tmp_path / "log").append({"n": 1})
    assert (tmp_path / "log").read_bytes() == b'{"n":1}\n'


@pytest.mark.parametrize("line", [b"nonsense", b"[" * 100_000])
def test_a_damaged_line_is_named(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"n":1}\n' + line + b'\n{"n":3}\n')
    with pytest.raises(UserError, match=r"log is damaged at byte 8: no whole record; `(sed .*)` leaves") as error:
        LineReader(tmp_path / "log").read()
    assert "\n" not in str(error.value)
    subprocess.run(str(error.value).split("`")[1], shell=True, check=True)
    assert LineReader(tmp_path / "log").read() == [{"n": 1}, {"n": 3}]


def test_a_full_disk_leaves_whole_lines_alone() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        LineWriter(Path("/dev/full")).append({"n": 1})


def test_a_line_that_the_disk_must_have_is_synced_whole_or_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.fstat(file).st_size))
    writer = LineWriter(tmp_path / "log")
    writer.append({"n": 1})
    writer.append({"n": 2}, sync=True)
    assert synced == [16]

    def fails(file: int) -> None:
        raise OSError(EIO, os.strerror(EIO))

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(OSError, match=r"Input/output error: '/.*/log'"):
        writer.append({"n": 3}, sync=True)
    assert LineReader(tmp_path / "log").read() == [{"n": 1}, {"n": 2}]


def _write(file: Path, name: str) -> None:
    writer, number = LineWriter(file), 0
    while True:
        writer.append({"by": name, "n": number, "text": "x" * 200})
        number += 1


def test_writers_that_are_killed_leave_whole_lines_in_order(tmp_path: Path) -> None:
    file = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(file, name), daemon=True) for name in "ab"]
    for process in writers:
        process.start()
    reader, lines = LineReader(file), []
    for process in writers:
        while sum(line["by"] == "ab"[writers.index(process)] for line in lines) < 200:
            lines += reader.read()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    lines += reader.read()
    for name in "ab":
        numbers = [line["n"] for line in lines if line["by"] == name]
        assert numbers == list(range(len(numbers)))
