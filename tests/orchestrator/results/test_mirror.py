"""Sweeps at home in S3, without Ray: what is pushed, what counts when it is pulled, and who may drive."""

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.mirror import Mark, TrialFiles, fetch_trials, home_of, pull, read_mark
from orchestrator.results.places import EVENTS_FILE, MARK_FILE, STUDY_FILE, history_file
from orchestrator.results.store import ResultsStore, find_sweep, sweep_names
from orchestrator.results.verdict import SweepStatus
from orchestrator.sweep.confirm import with_best
from orchestrator.sweep.pusher import BEAT_S, Pusher
from orchestrator.sweep.session import Session
from tests.orchestrator.sweep_helpers import PLAN, close, ended, epoch, keep, keep_epochs
from tests.s3_server import S3Server
from trainers.errors import UserError
from trainers.remote import RemoteFolder, local_copy


@pytest.fixture
def home(s3: S3Server, request: pytest.FixtureRequest) -> str:
    """A folder for sweeps, in a bucket of its own."""
    return f"{s3.bucket(f'b{abs(hash(request.node.name))}')}/sweeps"


def store_on(machine: Path, home: str, name: str = "s") -> ResultsStore:
    """A sweep as a machine with this cache has it."""
    return ResultsStore(local_copy(home, machine / "remote-sweeps") / name)


def begun_on(machine: Path, home: str) -> tuple[ResultsStore, Session]:
    """A sweep that a driver there has opened: one trial is over, its files are pushed."""
    store = store_on(machine, home)
    store.directory.mkdir(parents=True)
    store.write_plan(replace(PLAN, cache_dir=str(machine), storage=str(store.directory / STUDY_FILE)))
    session = Session(store)
    session.open(trials=3, budgets={})
    keep(store, ended("0000", "completed", 80.0))
    keep_epochs(store, "0000", epoch(1), epoch(2, fid=80.0, objective=80.0))
    (store.trials_dir / "0000" / "best.pt").write_bytes(b"best")
    (store.directory / STUDY_FILE).write_text('{"a": 1}\n')
    remote = home_of(store.directory)
    assert remote is not None
    TrialFiles(remote, store.directory, "0000").push()
    return store, session


def lose(session: Session) -> None:
    """The machine goes away: no word, no last push."""
    pusher = session.pusher
    assert pusher is not None
    pusher._closing.set()
    pusher.join()
    process = pusher._mark.process.replace(f"{os.getpid()}/", "4194304/", 1)  # no process has this number
    pusher._mark, pusher._beaten = replace(pusher._mark, process=process), -BEAT_S
    assert pusher._try()
    session._lock.release()


def test_another_machine_has_all_that_was_pushed(tmp_path: Path, home: str) -> None:
    _, session = begun_on(tmp_path / "first", home)
    lose(session)
    shutil.rmtree(tmp_path / "first")
    second = find_sweep("s", local_copy(home, tmp_path / "second" / "remote-sweeps"), whole=True)
    assert second.directory.is_relative_to(tmp_path / "second")
    (trial,) = second.read_trials()
    assert trial.trial_id == "0000" and trial.objective == 80.0
    assert [report.epoch for report in second.read_history("0000")] == [1, 2]
    assert (second.trials_dir / "0000" / "best.pt").read_bytes() == b"best"
    assert second.read_plan().cache_dir == str(tmp_path / "second")
    assert second.read_plan().storage == str(second.directory / STUDY_FILE)
    assert sweep_names(local_copy(home, tmp_path / "third" / "remote-sweeps")) == ["s"]


def test_only_what_the_mark_counts_is_pulled(tmp_path: Path, home: str) -> None:
    """A machine that is lost between two requests has pushed a study that knows more than the log."""
    store, session = begun_on(tmp_path / "first", home)
    lose(session)
    remote = home_of(store.directory)
    assert remote is not None
    for name in (STUDY_FILE, EVENTS_FILE):
        remote.write(name, (store.directory / name).read_bytes() + b'{"more": 1}\n')
    second = store_on(tmp_path / "second", home)
    pull(second.directory)
    for name in (STUDY_FILE, EVENTS_FILE):
        assert (second.directory / name).read_bytes() == (store.directory / name).read_bytes()


def test_a_copy_that_knows_more_is_kept_and_pushed_by_the_next_driver(tmp_path: Path, home: str) -> None:
    store, session = begun_on(tmp_path / "first", home)
    lose(session)
    keep(store, ended("0001", "completed", 70.0))
    keep_epochs(store, "0001", epoch(1, fid=70.0, objective=70.0))
    pull(store.directory, whole=True)
    assert len(store.read_trials()) == 2
    again = Session(store)
    again.open(trials=3, budgets={})
    again.end(SweepStatus.FINISHED)
    again.close()
    second = store_on(tmp_path / "second", home)
    pull(second.directory, whole=True)
    assert [trial.trial_id for trial in second.read_trials()] == ["0000", "0001"]
    assert [report.epoch for report in second.read_history("0001")] == [1]
    remote = home_of(store.directory)
    assert remote is not None
    mark = read_mark(remote)
    assert mark is not None and mark.driver == ""


def test_of_two_that_went_on_from_one_point_the_one_at_home_counts(tmp_path: Path, home: str) -> None:
    first, session = begun_on(tmp_path / "first", home)
    lose(session)
    second = store_on(tmp_path / "second", home)
    pull(second.directory, whole=True)
    going_on = Session(second)
    going_on.open(trials=3, budgets={})
    lose(going_on)
    keep(first, ended("0002", "completed", 50.0))  # what the first could not push
    pull(first.directory, whole=True)
    state = first.read_state()
    assert state.session == 2 and list(state.trials) == ["0000"]
    assert not (first.trials_dir / "0002").exists()


def test_a_driver_that_lives_elsewhere_keeps_the_sweep(tmp_path: Path, home: str) -> None:
    first, session = begun_on(tmp_path / "first", home)
    lose(session)
    remote = home_of(first.directory)
    assert remote is not None
    mark = read_mark(remote)
    assert mark is not None
    remote.write(MARK_FILE, replace(mark, host="another").to_json())
    second = store_on(tmp_path / "second", home)
    pull(second.directory)
    with pytest.raises(UserError, match="sweep s is running already, on another: its driver gave a sign of life"):
        Session(second).open(trials=3, budgets={})
    lock = DriverLock(second.directory)
    lock.acquire()  # the one that was refused has let go of it
    lock.release()


def test_a_driver_whose_sweep_was_taken_over_pushes_nothing_more(tmp_path: Path, home: str) -> None:
    first, session = begun_on(tmp_path / "first", home)
    assert session.pusher is not None and session.pusher._try()
    remote = home_of(first.directory)
    assert remote is not None
    log = remote.read(EVENTS_FILE)
    remote.write(MARK_FILE, Mark(driver="x", host="another", process="").to_json())
    close(first, SweepStatus.FINISHED)
    session.close()
    with pytest.raises(UserError, match="another driver, on another, has taken the sweep over"):
        session.pusher.check_still_ours()
    assert remote.read(EVENTS_FILE) == log
    mark = read_mark(remote)
    assert mark is not None and mark.driver == "x"


def test_trials_that_the_log_does_not_know_are_removed(tmp_path: Path, home: str) -> None:
    first, session = begun_on(tmp_path / "first", home)
    keep_epochs(first, "0007", epoch(1))
    remote = home_of(first.directory)
    assert remote is not None
    TrialFiles(remote, first.directory, "0007").push()
    lose(session)
    second = store_on(tmp_path / "second", home)
    pull(second.directory, whole=True)
    assert (second.trials_dir / "0007").exists()
    again = Session(second)
    again.open(trials=3, budgets={})
    assert not (second.trials_dir / "0007").exists() and not remote.files("trials/0007")
    again.close()


def test_a_file_with_two_names_is_sent_once(tmp_path: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    upload = RemoteFolder.upload

    def counted(self: RemoteFolder, file: Path, name: str) -> None:
        sent.append(name.rpartition("/")[2])
        upload(self, file, name)

    monkeypatch.setattr(RemoteFolder, "upload", counted)
    store = store_on(tmp_path, home)
    folder = store.trials_dir / "0000"
    folder.mkdir(parents=True)
    remote = home_of(store.directory)
    assert remote is not None
    files = TrialFiles(remote, store.directory, "0000")
    (folder / "latest.pt").write_bytes(b"one")
    os.link(folder / "latest.pt", folder / "best.pt")
    files.push()
    (folder / "new").write_bytes(b"two")
    os.link(folder / "latest.pt", folder / "previous.pt")
    os.replace(folder / "new", folder / "latest.pt")
    files.push()
    files.push()
    assert sent == ["best.pt", "latest.pt"]
    there = {name.rpartition("/")[2]: remote.read(name) for name in remote.files("trials")}
    assert there == {"best.pt": b"one", "latest.pt": b"two", "previous.pt": b"one"}


def test_what_fails_is_pushed_later(tmp_path: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, session = begun_on(tmp_path / "first", home)
    pusher = session.pusher
    assert pusher is not None
    pusher._closing.set()
    pusher.join()
    pusher.drop("trials/0000/best.pt")
    close(store, SweepStatus.FINISHED)
    with monkeypatch.context() as away:
        away.setattr(pusher, "_home", home_of(store.directory.parent.parent / "s3~3A~2F~2Fnowhere" / "s"))
        assert not pusher._try() and "does not have everything: " in pusher.missing and "nowhere" in pusher.missing
    assert pusher._try() and pusher.missing == ""
    session._lock.release()
    second = store_on(tmp_path / "second", home)
    pull(second.directory, whole=True)
    assert second.read_state().status is SweepStatus.FINISHED
    assert not (second.trials_dir / "0000" / "best.pt").exists()


def test_the_mark_says_who_drives(tmp_path: Path, home: str) -> None:
    store, session = begun_on(tmp_path / "first", home)
    remote = home_of(store.directory)
    assert remote is not None
    content = remote.read(MARK_FILE)
    assert content is not None
    assert json.loads(content)["host"] == socket.gethostname() and json.loads(content)["driver"]
    session.close()


def test_a_second_driver_here_goes_on_at_once_where_the_first_has_died(tmp_path: Path, home: str) -> None:
    store, session = begun_on(tmp_path / "first", home)
    remote = home_of(store.directory)
    assert remote is not None
    with pytest.raises(UserError, match="is running already"):  # this process lives
        Pusher(store, remote).check_free()
    lose(session)
    Pusher(store, remote).check_free()


def test_what_another_node_wrote_since_is_not_pushed_over(tmp_path: Path, home: str) -> None:
    """A trial began on the driver's node and went on elsewhere: at the end the driver has old checkpoints of it."""
    store, session = begun_on(tmp_path / "first", home)
    remote = home_of(store.directory)
    assert remote is not None
    (elsewhere := tmp_path / "best.pt").write_bytes(b"of another node")
    later = store.trials_dir / "0000" / "best.pt"
    os.utime(later, (1.0, 1.0))  # written long before
    remote.upload(elsewhere, "trials/0000/best.pt")
    session.close()
    assert remote.read("trials/0000/best.pt") == b"of another node" == later.read_bytes()


def test_a_history_is_not_replaced_by_one_with_fewer_epochs(tmp_path: Path, home: str) -> None:
    """The store's clock may be ahead of this machine's."""
    store, session = begun_on(tmp_path / "first", home)
    history = history_file(store.directory, "0000")
    whole = history.read_bytes() + b"one more epoch"
    history.write_bytes(whole)
    os.utime(history, (1.0, 1.0))
    remote = home_of(store.directory)
    assert remote is not None
    fetch_trials(remote, store.directory)
    assert history.read_bytes() == whole
    session.close()


def test_what_another_node_trained_can_win(tmp_path: Path, home: str) -> None:
    store, session = begun_on(tmp_path / "first", home)
    (store.trials_dir / "0000" / "best.pt").unlink()
    assert with_best(store) == {"0000"}
    session.close()
