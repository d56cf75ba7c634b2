"""What `status` prints of a sweep."""

import io
from pathlib import Path

from rich.console import Console

from orchestrator.display.status_text import print_one
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import begun, close


def test_the_command_that_goes_on_finds_a_sweep_that_lies_elsewhere(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    close(store, SweepStatus.INTERRUPTED)
    screen = io.StringIO()
    print_one(Console(file=screen, width=200), store, store.read_state())
    assert f"gan-sweep resume {store.directory}\n" in screen.getvalue()
