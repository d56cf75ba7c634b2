"""Any error becomes one line for people."""

from pathlib import Path

import pytest

from trainers.errors import disk_is_full, first_line, is_full


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("too large"), "too large"),
        (RuntimeError("first\nsecond"), "first"),
        (RuntimeError("\n  \n  Error(s) in loading:  \n\tmissing"), "Error(s) in loading:"),
        (OSError(2, "No such file", "a.png"), "[Errno 2] No such file: 'a.png'"),
        (ValueError(), "ValueError"),
        (RuntimeError(" \n "), "RuntimeError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=repr,
)
def test_the_first_line_that_says_something(error: BaseException, line: str) -> None:
    assert first_line(error) == line


def test_a_long_line_is_cut() -> None:
    assert first_line(ValueError("x" * 300), 200) == "x" * 200
    assert first_line(ValueError("short\n" + "x" * 300), 200) == "short"
    assert first_line(ValueError(), 3) == "ValueError"


def test_the_type_goes_before_the_text() -> None:
    assert first_line(KeyError(3), with_type=True) == "KeyError: 3"
    assert first_line(RuntimeError("first\nsecond"), with_type=True) == "RuntimeError: first"
    assert first_line(AssertionError(), with_type=True) == "AssertionError"


def test_a_full_disk_is_one_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, open("/dev/full", "w") as file:
        file.write("x")
        file.flush()
    assert is_full(caught.value)
    line = str(disk_is_full(caught.value, tmp_path))
    assert line.startswith(f"the disk of {tmp_path} is full (") and "\n" not in line and "No space left" in line
    wrapped = RuntimeError("ray::task() OSError: [Errno 28] No space left on device")
    assert is_full(wrapped) and str(disk_is_full(wrapped)).startswith("a disk is full: ")
    assert not is_full(OSError(2, "No such file")) and not is_full(None)
