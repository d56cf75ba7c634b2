"""A rank tells what its trial does at this moment."""

import threading
from pathlib import Path

import pytest

from orchestrator.results.now import now_file, read_now
from orchestrator.results.records import TrialRecord
from orchestrator.sweep import telling as module
from orchestrator.sweep.telling import Pace, telling
from tests.orchestrator.sweep_helpers import begun
from trainers.pulse import Doing, beat, enter_epoch

TRIAL = TrialRecord("0000", {}, total_epochs=4, started=0.0)


def work(done: int, what: str = "training", epoch: int = 1) -> Doing:
    return Doing(what=what, done=done, total=100, epoch=epoch)


def test_the_pace_is_that_of_this_piece_of_work() -> None:
    pace = Pace()
    assert pace.now(work(40), 10.0).left_s is None  # seen for the first time
    assert pace.now(work(50), 12.0).left_s == pytest.approx(10.0)  # 10 in 2 s, 50 are left
    assert pace.now(work(50), 12.0).share == 0.5
    assert pace.now(work(10, "FID"), 14.0).left_s is None
    assert pace.now(work(20, epoch=2), 20.0).left_s is None


def test_it_is_told_while_the_trial_is_trained_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    store = begun(tmp_path / "s")
    beat("of the trial before", 1, 1)
    with telling(store.directory, "0000"):
        enter_epoch(1)
        beat("training", 25, 100)
        while (now := read_now(store.directory, TRIAL)) is None:  # pytest's own timeout is the limit
            threading.Event().wait(0.01)
        assert (now.what, now.share, now.epoch) == ("training", 0.25, 1)
    assert not now_file(store.directory, "0000").exists()


def test_a_disk_that_takes_nothing_ends_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    store = begun(tmp_path / "s")
    (store.directory / "now").write_text("no folder")
    tried = threading.Event()
    write = module.write_now
    monkeypatch.setattr(module, "write_now", lambda *said: (tried.set(), write(*said)))
    with telling(store.directory, "0000"):
        beat("training", 1, 2)
        assert tried.wait(60)
