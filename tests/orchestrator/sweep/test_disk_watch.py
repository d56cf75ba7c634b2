"""The line that a disk without room ends a sweep with."""

import errno
from pathlib import Path

from orchestrator.sweep.disk_watch import LOOK_S, OTHERS_BYTES, DiskWatch, reserve


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_too_little_room_for_the_next_checkpoints(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, 10**18, lambda: "")
    assert watch.look()
    assert watch.line.startswith(f"no space left in {tmp_path}: ")
    cure = f"make room, then gan-sweep resume {tmp_path}"
    assert watch.line.endswith(f" MB free, about 1,000,000,000,000 MB needed for the next checkpoints: {cure}")
    assert reserve(7, 3) == 21 + OTHERS_BYTES


def test_what_others_could_not_write_is_asked_for_from_time_to_time(tmp_path: Path) -> None:
    clock, places = Clock(), ["", "/there/events.jsonl"]
    watch = DiskWatch(tmp_path, 0, lambda: places.pop(0), clock)
    assert not watch.look() and not watch.look()
    clock.now = LOOK_S
    assert watch.look() and watch.look() and not places
    assert watch.line.startswith("no space left in /there/events.jsonl: ")


def test_storage_that_is_gone(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path / "gone", 0, lambda: "")
    assert watch.look()
    assert watch.line == (
        f"{tmp_path}/gone cannot be reached (No such file or directory): bring it back, "
        f"then gan-sweep resume {tmp_path}/gone"
    )


def test_an_error_of_the_drivers_own(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, 0, lambda: "")
    watch.seen(ValueError("no room for this"))
    assert not watch.line
    watch.seen(OSError(errno.ENOSPC, "No space left on device", "/x/study.journal"))
    assert watch.line.startswith("no space left in /x/study.journal: ")


def test_an_end_that_does_not_say_that_the_disk_was_full(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, 0, lambda: "", Clock())
    assert not watch.look()
    watch._needed = 10**18
    assert not watch.look(), "it was looked at a moment ago"
    watch.look_here()
    assert watch.line.startswith(f"no space left in {tmp_path}: ")
