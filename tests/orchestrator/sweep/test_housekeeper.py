"""Which files of a sweep are deleted, and when."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.events import Opened
from orchestrator.results.follower import Follower
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, SweepStatus
from orchestrator.sweep.housekeeper import Housekeeper
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, keep
from trainers.run_report import RunEnd

CHECKPOINTS = ("latest.pt", "previous.pt", "best.pt")
OTHERS = ("config.yaml", "history.jsonl", "samples")


def filled(store: ResultsStore, *trials: TrialRecord) -> None:
    """Trials with all their files."""
    keep(store, *trials)
    for trial in trials:
        for name in (*CHECKPOINTS, *OTHERS):
            (store.trials_dir / trial.trial_id / name).touch()


def left(store: ResultsStore, name: str) -> list[str]:
    """The trials that have this file."""
    return sorted(path.parent.name for path in store.trials_dir.glob(f"*/{name}"))


def keeping(store: ResultsStore, asked: str) -> Follower:
    """A follower with a housekeeper that has cleaned up before."""
    housekeeper = Housekeeper(store, asked, top=1)  # five candidates
    follower = Follower(store.directory, store.read_plan(), [housekeeper])
    follower.skip()
    housekeeper.watch(follower.state)
    return follower


def completed(number: int) -> TrialRecord:
    return ended(f"{number:04d}", RunEnd.COMPLETED, 90.0 - number)


@pytest.mark.parametrize(
    ("asked", "while_it_runs", "at_its_end"), [("all", 9, 9), ("best", 5, 1), ("top:2", 5, 2), ("top:7", 7, 7)]
)
def test_the_best_stay(tmp_path: Path, asked: str, while_it_runs: int, at_its_end: int) -> None:
    store = begun(tmp_path / "s")
    follower = keeping(store, asked)
    filled(store, *map(completed, range(9)))
    follower.poll()
    names = [f"{number:04d}" for number in range(9)]
    assert left(store, "best.pt") == names[-while_it_runs:]
    close(store, SweepStatus.FINISHED)
    follower.poll()
    assert left(store, "best.pt") == names[-at_its_end:]
    assert left(store, "latest.pt") == left(store, "previous.pt") == []
    assert all(left(store, name) == names for name in OTHERS)


@pytest.mark.parametrize("status", [SweepStatus.INTERRUPTED, SweepStatus.FAILED])
def test_candidates_stay_where_the_sweep_may_go_on(tmp_path: Path, status: SweepStatus) -> None:
    store = begun(tmp_path / "s")
    follower = keeping(store, "best")
    filled(store, *map(completed, range(9)))
    close(store, status)
    follower.poll()
    assert left(store, "best.pt") == ["0004", "0005", "0006", "0007", "0008"]


def test_nothing_of_a_trial_that_may_go_on_is_deleted(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    follower = keeping(store, "best")
    filled(store, *map(completed, range(1, 9)), ended("0000", StopReason.OUT_OF_TIME, 500.0))
    is_open = replace(ended("0009", RunEnd.COMPLETED, 900.0), verdict=None)
    filled(store, is_open)
    follower.poll()
    assert left(store, "best.pt") == ["0000", "0004", "0005", "0006", "0007", "0008", "0009"]
    assert left(store, "latest.pt") == left(store, "previous.pt") == ["0000", "0009"]
    close(store, SweepStatus.OUT_OF_TIME)
    follower.poll()
    assert left(store, "best.pt") == ["0000", "0008", "0009"]
    assert left(store, "latest.pt") == ["0000", "0009"]


def test_a_later_driver_deletes_what_was_missed(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    filled(store, *map(completed, range(9)))
    close(store, SweepStatus.FINISHED)
    store.append(Opened(at=300.0, session=2, pid=7, process_started=1.0, host="h", version="1", trials=10))
    keeping(store, "best")
    assert left(store, "best.pt") == ["0004", "0005", "0006", "0007", "0008"]
    assert left(store, "latest.pt") == []


def test_the_front_of_two_objectives_stays(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", replace(PLAN, objectives=("fid", "generator_parameters")))
    follower = keeping(store, "best")
    trials = [completed(number) for number in range(9)]
    for number, trial in enumerate(trials):
        trial.costs = {"generator_parameters": 0.0 if number == 2 else 1.0 + number % 2}
    filled(store, *trials)
    close(store, SweepStatus.FINISHED)
    follower.poll()
    assert left(store, "best.pt") == ["0002", "0008"]


@pytest.mark.parametrize(("asked", "kept"), [("best", 1), ("top:2", 2), ("all", 4)])
def test_the_ends_of_trials_that_were_ended_stay(tmp_path: Path, asked: str, kept: int) -> None:
    """Those with the lowest FIDs: `gan-sweep extend` goes on with them. Of the scheduler's none."""
    store = begun(tmp_path / "s")
    follower = keeping(store, asked)
    verdicts = [
        StopReason.STOPPED_BY_USER,
        "d_collapse",
        "fid_diverged",
        "d_collapse",
        StopReason.OUTRANKED,
        "nonfinite",
    ]
    trials = [ended(f"{number:04d}", verdict, None) for number, verdict in enumerate(verdicts)]
    for trial, fid in zip(trials, [60.0, 70.0, 40.0, 50.0, 10.0, 5.0], strict=True):
        trial.lowest_fid = fid
    filled(store, *trials)
    follower.poll()
    close(store, SweepStatus.FINISHED)
    follower.poll()
    assert left(store, "latest.pt") == sorted(["0002", "0003", "0000", "0001"][:kept])
    assert left(store, "previous.pt") == []
    keeping(store, "best")
    assert left(store, "latest.pt") == ["0002"], "a later driver deletes what was missed"


def test_the_end_of_a_trial_that_has_an_objective_goes(tmp_path: Path) -> None:
    """It goes on from its best."""
    store = begun(tmp_path / "s")
    follower = keeping(store, "top:3")
    filled(store, ended("0000", "d_collapse", 30.0), ended("0001", "d_collapse", None))
    follower.poll()
    assert left(store, "latest.pt") == ["0001"] and "0000" in left(store, "best.pt")
