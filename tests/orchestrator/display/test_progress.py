"""The progress bar: words, counts and remaining time on a terminal, nothing anywhere else."""

from io import StringIO

import pytest
from rich.console import Console

from orchestrator.display.progress import progress_bar


def drawn(*, terminal: bool, quiet: bool = False, total: int | None = None) -> str:
    """All that a bar writes, its last state before it is taken away included."""
    stream = StringIO()
    console = Console(file=stream, force_terminal=terminal, width=80, color_system=None)
    with progress_bar(console, "decoding images", total, quiet=quiet) as progress:
        for done in range(1, 7):
            progress(done, 40)
    return stream.getvalue()


@pytest.mark.parametrize("total", [None, 40])
def test_a_terminal_sees_words_counts_and_time(total: int | None) -> None:
    text = drawn(terminal=True, total=total)
    assert "decoding images" in text and "6/40" in text and ":" in text
    assert text.endswith("\x1b[2K")  # taken away


def test_the_total_may_be_known_before_anything_is_done() -> None:
    assert "0/40" in drawn(terminal=True, total=40) and "0/40" not in drawn(terminal=True)


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True)], ids=["no terminal", "quiet"])
def test_nobody_else_sees_anything(terminal: bool, quiet: bool) -> None:
    assert drawn(terminal=terminal, quiet=quiet) == ""
