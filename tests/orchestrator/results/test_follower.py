"""Following a sweep's log: in the order in which things happened, each of them once."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.results.events import Closed, Confirmed, Ended, Event, Opened, Paused, Started, Submitted
from orchestrator.results.follower import Follower, Position
from orchestrator.results.places import EVENTS_FILE, history_file
from orchestrator.results.records import TrialRecord
from orchestrator.results.sinks import Sink
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State, SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, keep_epochs
from trainers.errors import UserError
from trainers.run_report import EpochReport

OVER = {"verdict": "completed", "epochs": 3, "objective": 50.0, "best_epoch": 3}
TOTALS = {"last_fid": 50.0, "last_fid_epoch": 3, "last_fid_n": 2, "lowest_fid": 50.0}


class Heard(Sink):
    """Keeps what it is told, in few words."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def opened(self, state: SweepState) -> None:
        self.told.append(f"opened {state.session}")

    def started(self, trial: TrialRecord) -> None:
        self.told.append(f"{trial.trial_id} starts")

    def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
        assert trial.epochs == report.epoch
        self.told.append(f"{trial.trial_id} {report.epoch}")

    def ended(self, trial: TrialRecord) -> None:
        assert trial.state is not State.RUNNING
        self.told.append(f"{trial.trial_id} {trial.verdict}")

    def confirmed(self, trial: TrialRecord) -> None:
        self.told.append(f"{trial.trial_id} again {trial.confirmed}")

    def closed(self, state: SweepState) -> None:
        self.told.append(f"closed {state.status}")


def follow(store: ResultsStore, *, every_epoch: bool = True) -> tuple[Follower, Heard]:
    heard = Heard()
    return Follower(store.directory, store.read_plan(), [heard], every_epoch=every_epoch), heard


def submitted(trial: str, session: int = 1) -> Submitted:
    return Submitted(at=1.0, session=session, trial=trial, params={}, epochs=3, n_fake=2)


def started(trial: str, session: int = 1) -> Started:
    return Started(at=2.0, session=session, trial=trial, gang=0, attempt=1)


def over(trial: str, session: int = 1) -> Ended:
    return Ended(at=9.0, session=session, trial=trial, outcome=OVER, seconds=7.0, totals=TOTALS)


def opened(session: int) -> Opened:
    return Opened(at=20.0, session=session, pid=7, process_started=1.0, host="h", version="1", trials=3)


def closed(session: int = 1) -> Closed:
    return Closed(at=10.0, session=session, status=SweepStatus.INTERRUPTED, ended=10.0)


def write(store: ResultsStore, *happened: Event | tuple[str, int]) -> None:
    """Events, and epochs as (trial, number)."""
    for one in happened:
        if isinstance(one, Event):
            store.append(one)
        else:
            keep_epochs(store, one[0], epoch(one[1], fid=50.0, objective=50.0))


WHOLE: list[Event | tuple[str, int]] = [
    submitted("0000"),
    submitted("0001"),
    started("0000"),
    ("0000", 1),
    started("0001"),
    ("0001", 1),
    ("0000", 2),
    ("0000", 3),
    over("0000"),
    Confirmed(at=9.5, session=1, trial="0000", values=[51.0]),
    ("0001", 2),
    closed(),
    opened(2),
    started("0001", 2),
    ("0001", 2),  # repeated: its checkpoint was older
    ("0001", 3),
    over("0001", 2),
    closed(2),
]
TOLD = [
    "opened 1",
    "0000 starts",
    "0000 1",
    "0001 starts",
    "0001 1",
    "0000 2",
    "0000 3",
    "0000 completed",
    "0000 again [51.0]",
    "0001 2",
    "0001 interrupted",
    "closed interrupted",
    "opened 2",
    "0001 starts",
    "0001 3",
    "0001 completed",
    "closed interrupted",
]


def test_all_is_told_once_as_it_happens(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    follower, heard = follow(store)
    assert follower.poll()
    assert not follower.poll()
    for one in WHOLE:
        write(store, one)
        follower.poll()
    assert heard.told == TOLD


def test_a_late_reader_hears_epochs_before_what_came_after_them(tmp_path: Path) -> None:
    """What has no time in the log comes as early as it can: a trial that is cut short has all its epochs by then."""
    store = begun(tmp_path / "s")
    write(store, *WHOLE)
    follower, heard = follow(store)
    follower.poll()
    assert sorted(heard.told) == sorted(TOLD)
    assert [text for text in heard.told if "0000" in text] == [text for text in TOLD if "0000" in text]
    ends = [heard.told.index(text) for text in ("0001 2", "0001 interrupted", "closed interrupted", "0001 completed")]
    assert ends == sorted(ends) and heard.told.index("0001 3") < ends[-1]


def test_without_every_epoch_the_state_is_the_same(tmp_path: Path) -> None:
    """The log says what the epochs of a trial that is over add up to."""
    store = begun(tmp_path / "s")
    write(store, *WHOLE[:11])
    (all_of_them, heard), (few, less) = follow(store), follow(store, every_epoch=False)
    for follower in (all_of_them, few):
        follower.poll()
    assert "0000 3" in heard.told and "0000 3" not in less.told
    assert few.state.trials["0001"].epochs == 2
    assert few.state == all_of_them.state


def test_what_is_skipped_is_folded_but_not_told(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    write(store, *WHOLE[:6])
    follower, heard = follow(store)
    follower.skip()
    assert heard.told == []
    assert follower.state.trials["0000"].epochs == 1
    write(store, *WHOLE[6:9])
    follower.poll()
    assert heard.told == ["0000 2", "0000 3", "0000 completed"]


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_a_second_follower_goes_on_where_the_first_one_was(cut: int, tmp_path: Path) -> None:
    """Nothing is told twice, nothing is left out; the position survives a file."""
    store = begun(tmp_path / "s")
    write(store, *WHOLE[:cut])
    first, heard = follow(store)
    first.poll()
    position = Position(**json.loads(json.dumps(asdict(first.position))))
    write(store, *WHOLE[cut:])
    second, rest = follow(store)
    second.skip(position)
    assert rest.told == []
    second.poll()
    assert not second.poll()
    assert sorted(heard.told + rest.told) == sorted(TOLD)
    first.poll()
    assert sorted(heard.told) == sorted(TOLD)
    assert second.state == first.state


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=5))
def test_any_number_of_followers_share_a_log(cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    store = begun(tmp_path_factory.mktemp("many") / "s")
    told: list[str] = []
    position, written = Position(), 0
    for cut in [*sorted(cuts), len(WHOLE)]:
        write(store, *WHOLE[written:cut])
        written = cut
        follower, heard = follow(store)
        follower.skip(position)
        follower.poll()
        told += heard.told
        position = follower.position
    assert sorted(told) == sorted(TOLD)


def test_a_torn_last_line_waits(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    write(store, submitted("0000"), started("0000"))
    file = history_file(store.directory, "0000")
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(epoch(1).to_json())
    file.write_text(line[:20])
    follower, heard = follow(store)
    follower.poll()
    assert heard.told == ["opened 1", "0000 starts"]
    file.write_text(line + "\n")
    follower.poll()
    assert heard.told[-1] == "0000 1"


def test_a_damaged_log_is_one_line(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    (store.directory / "events.jsonl").write_text("no json\n")
    with pytest.raises(UserError, match=r"events\.jsonl is damaged at byte 0"):
        Follower(store.directory, PLAN).poll()


@pytest.mark.parametrize("line", ['{"v":1,"event":"nonsense"}', '{"v":1,"event":"started","trial":"0000"}', "{}"])
def test_the_cure_of_a_damaged_event_works(line: str, tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    file = store.directory / "events.jsonl"
    file.write_text(file.read_text() + line + "\n")
    write(store, submitted("0001"))
    with pytest.raises(UserError, match=r"^events\.jsonl is damaged: [^\n]*; `sed -i.damaged 2d [^\n]*$") as error:
        store.read_state()
    subprocess.run(str(error.value).split("`")[1], shell=True, check=True)
    assert list(store.read_state().waiting) == ["0001"]


DAMAGED = ["no json", "{}", '{"epoch":2}', json.dumps(epoch(2).to_json() | {"epoch": "x"}), "[]"]


@pytest.mark.parametrize("line", [*DAMAGED, json.dumps(epoch(2, fid=1.0).to_json() | {"fid": "x"})])
def test_a_damaged_epoch_costs_that_epoch(line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The sweep can be read, and what the trial writes when it goes on counts."""
    store = begun(tmp_path / "s")
    write(store, submitted("0000"), started("0000"), ("0000", 1))
    file = history_file(store.directory, "0000")
    file.write_text(file.read_text() + line + "\n")
    write(store, ("0000", 3))
    caplog.set_level("WARNING", "orchestrator")  # Ray raises the root's level in this process
    follower, heard = follow(store)
    follower.poll()
    assert heard.told == ["opened 1", "0000 starts", "0000 1", "0000 3"]
    assert [report.epoch for report in store.read_history("0000")] == [1, 3]
    before = len(file.read_text().splitlines(keepends=True)[0]) + len(line) + 1
    assert f"{file} is damaged before byte {before}: that epoch is left out" in caplog.text
    follower.poll()
    assert caplog.text.count("is damaged") == 2, "once by each reader"
    second, rest = follow(store)
    second.skip(follower.position)
    second.poll()
    assert rest.told == [] and second.state == follower.state


def test_what_is_measured_again_while_its_trial_waits_is_kept_until_another_epoch_is_its_best(tmp_path: Path) -> None:
    """The scheduler cuts it afterwards, and nobody reads its epochs; or the sweep goes on, and it gets better."""
    store = begun(tmp_path / "s")
    started = Started(at=3.0, session=1, trial="0000", gang=0, attempt=1)
    again = Confirmed(at=5.0, session=1, trial="0000", values=[51.0])
    for event in (submitted("0000"), started, Paused(at=4.0, session=1, trial="0000"), again):
        store.append(event)
    keep_epochs(store, "0000", epoch(1), epoch(2, fid=50.0, objective=50.0))
    assert store.read_trials()[0].confirmed == [51.0]
    outcome = {"verdict": "outranked", "epochs": 2, "objective": 50.0, "best_epoch": 2}
    log = (store.directory / EVENTS_FILE).read_text()
    store.append(Ended(at=6.0, session=1, trial="0000", outcome=outcome, seconds=3.0, totals=TOTALS))
    assert store.read_trials()[0].confirmed == [51.0]
    (store.directory / EVENTS_FILE).write_text(log)
    store.append(Closed(at=6.0, session=1, status=SweepStatus.OUT_OF_TIME, ended=6.0))
    keep_epochs(store, "0000", epoch(3, fid=40.0, objective=40.0))
    assert store.read_trials()[0].confirmed == []
