"""What `status` prints of a sweep."""

import io
from pathlib import Path

from rich.console import Console

from orchestrator.display.status_text import print_all, print_one
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close


def test_the_command_that_goes_on_finds_a_sweep_that_lies_elsewhere(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    close(store, SweepStatus.INTERRUPTED)
    screen = io.StringIO()
    print_one(Console(file=screen, width=200), store, store.read_state())
    assert f"gan-sweep resume {store.directory}\n" in screen.getvalue()


def test_a_list_cuts_no_name_in_a_narrow_terminal_and_says_the_rest_below(tmp_path: Path) -> None:
    store = begun(tmp_path / "ralsgan_motorbike-20261129-014746")
    close(store, SweepStatus.INTERRUPTED)
    screen = io.StringIO()
    console = Console(file=screen, width=60)
    print_all(console, [(store, store.read_state()), (store, "its log is damaged")])
    _, row, unreadable, note = (line.split() for line in screen.getvalue().splitlines())
    assert row[:3] == ["ralsgan_motorbike-20261129-014746", "interrupted", "0/3"]
    assert unreadable[1] == "unreadable" and note[-4:] == ["its", "log", "is", "damaged"]
    assert console.width == 60
