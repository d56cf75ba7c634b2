"""One driver's time with a sweep: room is kept for its end."""

from pathlib import Path

from orchestrator.results.places import ROOM_FILE
from orchestrator.results.store import create_sweep
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.session import ROOM_BYTES, Session
from tests.orchestrator.sweep_helpers import PLAN


def test_room_for_the_end_is_kept_while_the_sweep_is_open(tmp_path: Path) -> None:
    store = create_sweep(tmp_path / "s")
    store.write_plan(PLAN)
    session = Session(store)
    session.open(trials=3, budgets={})
    assert (store.directory / ROOM_FILE).stat().st_size == ROOM_BYTES
    session.end(SweepStatus.FAILED, "no space left")
    assert not (store.directory / ROOM_FILE).exists()
    session.close()
    assert (store.read_state().status, store.read_state().detail) == (SweepStatus.FAILED, "no space left")
