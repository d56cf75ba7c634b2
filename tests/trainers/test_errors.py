"""Any error becomes one line for people."""

import pytest

from trainers.errors import first_line


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
