"""What is said of a gang that has fewer ranks than planned."""

import io
from pathlib import Path

from rich.console import Console

from orchestrator.display.live import Screen
from orchestrator.display.status_text import print_one
from orchestrator.results.events import GangUp
from orchestrator.results.follower import Follower
from tests.orchestrator.results.test_driver_lock import another_driver
from tests.orchestrator.sweep_helpers import PLAN, begun


def test_the_screen_and_status_say_which_gang_is_short(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    told, live, asked = io.StringIO(), io.StringIO(), io.StringIO()
    lines, table = (
        Screen(Console(file=told), tmp_path),
        Screen(Console(file=live, force_terminal=True, width=120), tmp_path),
    )
    follower = Follower(store.directory, PLAN, [lines, table])
    table.watch(follower.state)
    for gang, workers in ((0, 2), (1, 2), (1, 1)):
        store.append(GangUp(at=1.0, session=1, gang=gang, workers=workers, of=2))
    follower.poll()
    Console(file=live).print(table._render())
    with another_driver(store.directory):
        print_one(Console(file=asked), store, follower.state)
    for said in (told, live, asked):
        assert said.getvalue().count("has 1 of 2 workers") == 1 and "gang 0" not in said.getvalue()
    store.append(GangUp(at=2.0, session=1, gang=1, workers=2, of=2))
    follower.poll()
    assert told.getvalue().splitlines() == ["gang 1 has 1 of 2 workers", "gang 1 has 2 of 2 workers"]
    assert follower.state.short == []
