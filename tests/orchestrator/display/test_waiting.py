"""What people see while an epoch is long, and when a worker is lost."""

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.display import live
from orchestrator.display.live import Screen
from orchestrator.display.status_text import print_one
from orchestrator.display.waiting import doing_text, duration, left_text
from orchestrator.results.events import Interrupted, Paused
from orchestrator.results.follower import Follower
from orchestrator.results.now import Now, read_now, write_now
from orchestrator.results.records import TrialRecord
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from tests.orchestrator.results.test_driver_lock import another_driver
from tests.orchestrator.sweep_helpers import PLAN, begun, keep


def now(**other: object) -> Now:
    return Now(**{"what": "training", "share": 0.52, "epoch": 1, "left_s": 200.0, "at": time.time(), **other})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """A sweep with one trial in its first epoch of four."""
    store = begun(tmp_path / "s")
    keep(store, TrialRecord("0000", {}, total_epochs=4, started=time.time()))
    return store


def screen_of(store: ResultsStore, console: Console) -> tuple[Screen, Follower]:
    screen = Screen(console, store.directory)
    follower = Follower(store.directory, PLAN, [screen])
    follower.skip()
    screen.watch(follower.state)
    return screen, follower


def test_a_bar_and_the_time_that_is_left() -> None:
    assert doing_text(now()) == "training █████░░░░░ 52%, 3 min 20 s left in this epoch"
    assert doing_text(now(), bar=False) == "training 52%, 3 min 20 s left"
    assert doing_text(now(left_s=None, what="FID", share=1.0)) == "FID ██████████ 100%"
    assert doing_text(now(left_s=2.0, epoch=0)) == "training █████░░░░░ 52%"  # not worth saying


@pytest.mark.parametrize(("width", "text"), [(120, "training █████░░░░░ 52%"), (100, "training 52%, 3 min 20 s left")])
def test_the_live_table_shows_where_in_its_epoch_a_trial_is(store: ResultsStore, width: int, text: str) -> None:
    write_now(store.directory, "0000", now())
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=width)
    screen, _ = screen_of(store, console)
    console.print(screen._render())
    assert text in shown.getvalue()


def test_lines_say_it_where_nothing_was_said_for_long(store: ResultsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write_now(store.directory, "0000", now())
    shown = io.StringIO()
    screen, _ = screen_of(store, Console(file=shown))
    screen.look()
    assert shown.getvalue() == ""  # it was quiet for a moment only
    monkeypatch.setattr(live, "QUIET_S", 0.0)
    screen.look()
    line = "trial 0000  epoch 1/4  training █████░░░░░ 52%, 3 min 20 s left in this epoch\n"
    assert shown.getvalue() == line


def test_status_says_it_from_another_terminal(store: ResultsStore) -> None:
    write_now(store.directory, "0000", now(what="FID", epoch=1, left_s=None))
    shown = io.StringIO()
    with another_driver(store.directory):
        print_one(Console(file=shown, width=120), store, store.read_state())
    assert "trial 0000 at epoch 0/4 (FID 52%)" in shown.getvalue()


@pytest.mark.parametrize(
    "stale",
    [now(at=time.time() - 100), now(epoch=3), None],
    ids=["its rank may be dead", "another epoch's", "nothing was written"],
)
def test_what_is_not_of_this_moment_is_not_shown(store: ResultsStore, stale: Now | None) -> None:
    (trial,) = store.read_trials()
    trial.epochs = 1
    write_now(store.directory, "0000", now(epoch=2))
    assert read_now(store.directory, trial) is not None
    (store.directory / "now" / "0000.json").unlink()
    if stale is not None:
        write_now(store.directory, "0000", stale)
    assert read_now(store.directory, trial) is None
    write_now(store.directory, "0000", now(epoch=2))
    trial.state = State.PRUNED
    assert read_now(store.directory, trial) is None


def test_a_lost_worker_is_said_on_the_screen(store: ResultsStore) -> None:
    told, table = io.StringIO(), io.StringIO()
    _, follower = screen_of(store, Console(file=told))
    console = Console(file=table, force_terminal=True, width=120)
    live_screen, live_follower = screen_of(store, console)
    store.append(Interrupted(at=1.0, session=1, trial="0000", why="its workers died", attempts=1))
    follower.poll()
    live_follower.poll()
    console.print(live_screen._render())
    text = "trial 0000  its workers died: it goes on from its last checkpoint when they are up again"
    assert told.getvalue() == f"{text}\n"
    assert "its workers died: it goes on" in table.getvalue()  # in the title, where it may be broken into lines


def trial(number: int, state: State, epochs: int, seconds: float) -> TrialRecord:
    made = TrialRecord(f"{number:04d}", {}, total_epochs=4, started=0.0)
    made.state, made.epochs, made.seconds = state, epochs, seconds
    return made


def left(*trials: TrialRecord, gangs: int = 1) -> str:
    state = SweepState(replace(PLAN, trials=5, resources={"gangs": gangs}))
    state.planned, state.trials = 5, {one.trial_id: one for one in trials}
    return left_text(state)


def test_no_time_is_negative() -> None:
    assert [duration(seconds) for seconds in (-3600.0, -0.4, 59.6)] == ["0 s", "0 s", "1 min 00 s"]


def test_how_long_a_sweep_will_take() -> None:
    assert left() == left(trial(0, State.RUNNING, 0, 0.0)) == ""
    assert left(trial(0, State.RUNNING, 2, 20.0)) == "at most about 3 min 00 s left"  # 5 x 40 s, of which 20 are over
    over = trial(0, State.COMPLETED, 4, 40.0), trial(1, State.PRUNED, 1, 20.0)
    assert left(*over) == "about 1 min 30 s left"  # 3 x 30 s
    assert left(*over, trial(2, State.RUNNING, 1, 10.0)) == "about 1 min 20 s left"
    assert left(*over, gangs=3) == "about 30 s left"


def test_what_a_trial_has_behind_it_takes_no_time() -> None:
    goes_on = replace(trial(0, State.RUNNING, 102, 20.0), began=100, total_epochs=104)
    assert left(goes_on) == "at most about 3 min 00 s left"  # 5 x 4 epochs of 10 s, of which 2 are over


def test_the_first_epoch_of_a_trial_that_goes_on_is_shown(store: ResultsStore) -> None:
    """Until it reports, nobody but its rank knows how many epochs it has behind it."""
    write_now(store.directory, "0000", now(epoch=3))
    shown = io.StringIO()
    with another_driver(store.directory):
        print_one(Console(file=shown, width=120), store, store.read_state())
    assert "trial 0000 at epoch 2/4 (training 52%" in shown.getvalue()


def test_what_is_left_where_trials_wait_at_rungs() -> None:
    """Five trials of four epochs with rungs at 1 and 2 and a factor of 2 run 1 + 1/2 + 2/4 epochs on average."""
    waiting, runs = trial(0, State.PAUSED, 1, 10.0), trial(1, State.RUNNING, 1, 20.0)
    waiting.paused = True
    plan = replace(PLAN, trials=5, resources={"gangs": 2})
    scheduler = {"name": "asha", "grace_epochs": 1, "rung_factor": 2, "reduction_factor": 2}
    state = SweepState(replace(plan, definition={"scheduler": scheduler}))
    state.planned, state.trials = 5, {one.trial_id: one for one in (waiting, runs)}
    assert left_text(state) == "about 1 min 00 s left", "8 of 10 epochs, 15 s each, two at a time"


def test_a_trial_that_waits_says_so(store: ResultsStore) -> None:
    shown = io.StringIO()
    screen, follower = screen_of(store, Console(file=shown))
    store.append(Paused(at=2.0, session=1, trial="0000"))
    follower.poll()
    assert "trial 0000  waits at epoch 0: it goes on when it is among the best there\n" in shown.getvalue()
    assert "1 waits for others to come as far" in screen._title(screen._trials())
