"""The sweep's directory: written step by step, readable after every step."""

import json
from pathlib import Path

import pytest

from orchestrator.results.records import best_trial
from orchestrator.results.store import ResultsStore, create_sweep, find_sweep
from orchestrator.results.verdict import Failure, State, StopReason
from tests.orchestrator.sweep_helpers import INFO, ended, epoch
from trainers.errors import UserError
from trainers.run_report import RunEnd


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    store = create_sweep(tmp_path / "sweeps" / "s")
    store.write_info(INFO)
    return store


def test_summary_is_the_promised_object(store: ResultsStore) -> None:
    store.write_trial(ended("0000", RunEnd.COMPLETED, 80.0))
    store.write_trial(ended("0001", StopReason.OUTRANKED, None))
    store.write_trial(ended("0002", Failure.LOST, 70.0))
    summary = json.loads(json.dumps(store.summary()))
    assert summary.keys() >= {"sweep", "objective", "best", "trials"}
    assert (summary["sweep"], summary["objective"]) == ("s", "fid_test_n2")
    promised = {"trial_id", "state", "verdict", "objective", "best_epoch", "epochs", "seconds", "params"}
    assert all(trial.keys() >= promised for trial in summary["trials"])
    assert [trial["state"] for trial in summary["trials"]] == ["COMPLETED", "PRUNED", "COMPLETED"]
    assert [trial["verdict"] for trial in summary["trials"]] == ["completed", "outranked", "lost"]
    assert [trial["objective"] for trial in summary["trials"]] == [80.0, None, 70.0]
    assert summary["trials"][0]["seconds"] == 12.5
    assert summary["best"] == summary["trials"][2]  # its workers died after its best epoch: its checkpoint is there
    assert summary["trials"][1]["lowest_fid"] == 99.0


def test_records_survive_the_round_trip(store: ResultsStore) -> None:
    before = ended("0007", RunEnd.COMPLETED, 80.0)
    store.write_trial(before)
    (after,) = store.read_trials()
    assert after.to_json() == before.to_json()
    assert after.state is State.COMPLETED


def test_no_winner_without_a_measurement() -> None:
    assert best_trial([]) is None
    assert best_trial([ended("0000", StopReason.OUTRANKED, None)]) is None


def test_history_takes_the_later_line_and_survives_a_crash(store: ResultsStore) -> None:
    trial = ended("0000", RunEnd.COMPLETED, 80.0)
    store.write_trial(trial)
    for report in (epoch(1, fid=9.0), epoch(2, fid=8.0), epoch(2, fid=7.0)):
        store.append_history(trial, report)
    with open(store.trials_dir / "0000" / "history.jsonl", "a") as file:
        file.write('{"epoch": 3, "imag')
    assert [report.measurement.fid for report in store.read_history("0000") if report.measurement] == [9.0, 7.0]
    assert store.read_history("0001") == []


def test_sweeps_are_found_by_name_and_by_path(store: ResultsStore, tmp_path: Path) -> None:
    sweeps = tmp_path / "sweeps"
    assert find_sweep("s", sweeps).read_info() == INFO
    assert find_sweep(str(store.directory), tmp_path).read_info() == INFO
    with pytest.raises(UserError, match=r"unknown sweep in .*'t'"):
        find_sweep("t", sweeps)
    with pytest.raises(UserError, match="exists already; choose another --name"):
        create_sweep(store.directory)
