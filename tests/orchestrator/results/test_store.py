"""The sweep's directory: written step by step, readable after every step."""

import json
import multiprocessing
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.events import Closed
from orchestrator.results.places import EVENTS_FILE, history_file
from orchestrator.results.records import best_trial
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore, create_sweep, find_sweep, look_up_sweep, sweep_names
from orchestrator.results.verdict import Failure, State, StopReason, SweepStatus
from orchestrator.space.yaml_text import parse_yaml
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, epoch, keep, keep_epochs, life
from trainers.errors import UserError
from trainers.run_report import RunEnd

CLOSED = Closed(at=200.0, session=1, status=SweepStatus.FINISHED, ended=200.0)


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return begun(tmp_path / "sweeps" / "s")


def test_summary_is_the_promised_object(store: ResultsStore) -> None:
    keep(
        store,
        ended("0000", RunEnd.COMPLETED, 80.0),
        ended("0001", StopReason.OUTRANKED, None),
        ended("0002", Failure.LOST, 70.0),
    )
    close(store, SweepStatus.FINISHED)
    summary = json.loads(json.dumps(store.summary()))
    assert summary.keys() >= {"sweep", "objective", "best", "trials"}
    assert (summary["sweep"], summary["objective"]) == ("s", "fid_test_n2")
    assert (summary["status"], summary["detail"]) == ("finished", "")
    promised = {"trial_id", "state", "verdict", "objective", "best_epoch", "epochs", "seconds", "params"}
    assert all(trial.keys() >= promised for trial in summary["trials"])
    assert [trial["state"] for trial in summary["trials"]] == ["COMPLETED", "PRUNED", "COMPLETED"]
    assert [trial["verdict"] for trial in summary["trials"]] == ["completed", "outranked", "lost"]
    assert [trial["objective"] for trial in summary["trials"]] == [80.0, None, 70.0]
    assert summary["trials"][0]["seconds"] == 12.5
    assert summary["best"] == summary["trials"][2]  # its workers died after its best epoch: its checkpoint is there
    assert summary["trials"][1]["lowest_fid"] == 99.0


def test_a_sweep_may_be_moved_with_what_lies_in_it(tmp_path: Path) -> None:
    old = tmp_path / "old" / "s"
    uris = {"tracking_uri": f"sqlite:///{old}/mlflow.db", "storage": f"{old}/study.journal"}
    store = create_sweep(old, replace(PLAN, sweep="s", data="/photos", **uris))
    assert store.read_plan().tracking_uri == uris["tracking_uri"] and str(old) not in (old / "plan.json").read_text()
    new = (tmp_path / "new" / "other").resolve()
    new.parent.mkdir()
    old.rename(new)
    plan = ResultsStore(new).read_plan()
    found = (plan.tracking_uri, plan.storage, plan.data)
    assert found == (f"sqlite:///{new}/mlflow.db", f"{new}/study.journal", "/photos")


def test_sweeps_may_be_moved_with_the_store_beside_them(tmp_path: Path) -> None:
    old = tmp_path / "old"
    create_sweep(old / "s", replace(PLAN, tracking_uri=f"sqlite:///{old}/mlflow.db", data=f"{old}/photos"))
    new = (tmp_path / "new").resolve()
    old.rename(new)
    plan = ResultsStore(new / "s").read_plan()
    assert (plan.tracking_uri, plan.data) == (f"sqlite:///{new}/mlflow.db", f"{old}/photos")


def test_the_disk_has_what_optuna_may_hear_of(store: ResultsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna syncs its journal: after a power failure it must not know more than the log."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.fstat(file).st_size))
    log = store.directory / EVENTS_FILE
    sizes = {}
    for event in (*life(replace(ended("0000", RunEnd.COMPLETED, 80.0), confirmed=[81.0])), CLOSED):
        store.append(event)
        sizes[type(event).__name__] = log.stat().st_size
    assert synced == [sizes[name] for name in ("Ended", "Confirmed", "Closed")]


def test_records_survive_the_round_trip(store: ResultsStore) -> None:
    before = ended("0007", RunEnd.COMPLETED, 80.0)
    before.confirmed = [81.0, 82.0]
    keep(store, before)
    (after,) = store.read_trials()
    assert after.to_json() == before.to_json()
    assert after.state is State.COMPLETED


def test_an_open_trial_is_read_from_its_epochs(store: ResultsStore) -> None:
    before = ended("0000", RunEnd.COMPLETED, 80.0)
    before.verdict = None
    keep(store, before)
    keep_epochs(store, "0000", epoch(1), epoch(2, fid=90.0), epoch(3, fid=80.0, objective=80.0))
    (trial,) = store.read_trials()
    assert (trial.state, trial.epochs, trial.objective, trial.last_fid) == (State.RUNNING, 3, 80.0, 80.0)


def test_no_winner_without_a_measurement() -> None:
    assert best_trial([]) is None
    assert best_trial([ended("0000", StopReason.OUTRANKED, None)]) is None


def test_history_takes_the_first_line_of_an_epoch_and_survives_a_crash(store: ResultsStore) -> None:
    """A rank that goes on from a checkpoint repeats epochs; the scheduler has decided on the first report."""
    keep_epochs(store, "0000", epoch(1, fid=9.0), epoch(3, fid=8.0), epoch(2), epoch(3, fid=7.0))
    with history_file(store.directory, "0000").open("a") as file:
        file.write('{"epoch": 4, "imag')
    history = store.read_history("0000")
    assert [report.epoch for report in history] == [1, 2, 3]
    assert [report.measurement.fid for report in history if report.measurement] == [9.0, 8.0]
    assert store.read_history("0001") == []


def test_the_plan_is_there_for_programs_and_the_space_for_people(store: ResultsStore) -> None:
    plan = replace(PLAN, definition={"base": {"seed": 5}, "search": {}}, storage="postgresql://me:secret@h/d")
    store.write_plan(plan)
    assert store.read_plan() == replace(plan, storage="postgresql://me:***@h/d")
    assert parse_yaml((store.directory / "space.yaml").read_text(), "space.yaml") == plan.definition


def test_sweeps_are_found_by_name_and_by_path(store: ResultsStore, tmp_path: Path) -> None:
    sweeps = tmp_path / "sweeps"
    assert find_sweep("s", sweeps).read_plan() == PLAN
    assert find_sweep(str(store.directory), tmp_path).read_plan() == PLAN
    (sweeps / "no sweep").mkdir()
    assert sweep_names(sweeps) == ["s"]
    assert look_up_sweep("no sweep", sweeps) is None
    with pytest.raises(UserError, match=r"unknown sweep in .*'t'"):
        find_sweep("t", sweeps)
    with pytest.raises(UserError, match=r"no sweep is no sweep: it has no plan\.json$"):
        find_sweep(str(sweeps / "no sweep"), sweeps)
    (trial := store.trials_dir / "0000").mkdir(parents=True, exist_ok=True)
    with pytest.raises(UserError, match=rf"is a trial of the sweep {store.directory}: .* checkpoint {trial}/best\.pt$"):
        find_sweep(str(trial), sweeps)


def test_what_is_there_is_not_made_again(store: ResultsStore, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"exists already: `gan-sweep resume .*/sweeps/s` goes on with that sweep; a new one"
    ):
        create_sweep(store.directory, PLAN)
    with pytest.raises(UserError, match="exists already; choose another --name"):
        create_sweep(tmp_path, PLAN)
    with pytest.raises(UserError, match=r"cannot make .*: .*plan\.json: File exists"):
        create_sweep(store.directory / "plan.json" / "x", PLAN)
    assert [path.name for path in store.directory.parent.iterdir()] == ["s"], "nothing is left of the attempts"


def test_a_sweep_is_made_whole_or_not_at_all(
    store: ResultsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launch that is killed before the plan is written leaves the name free."""
    sweeps = tmp_path / "sweeps"

    def killed(directory: Path, plan: SavedPlan, *, home: Path) -> None:
        os._exit(9)

    monkeypatch.setattr(ResultsStore, "write_plan", killed)
    process = multiprocessing.get_context("fork").Process(target=create_sweep, args=(sweeps / "t", PLAN))
    process.start()
    process.join()
    monkeypatch.undo()
    assert process.exitcode == 9 and not (sweeps / "t").exists() and sweep_names(sweeps) == ["s"]
    (sweeps / "t").mkdir()
    assert create_sweep(sweeps / "t", PLAN).read_plan() == PLAN


def test_a_sweep_is_private(store: ResultsStore) -> None:
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700


def test_a_name_stays_in_the_sweeps_directory(store: ResultsStore, tmp_path: Path) -> None:
    """A path to a sweep is another matter: whoever types one means it."""
    sweeps, elsewhere = tmp_path / "sweeps", tmp_path / "elsewhere"
    store.directory.rename(elsewhere)
    (sweeps / "linked").symlink_to(elsewhere)
    for find in (find_sweep, look_up_sweep):
        with pytest.raises(UserError, match=r"^'linked' leads out of .*sweeps, to '.*elsewhere'$"):
            find("linked", sweeps)
    with pytest.raises(UserError, match=r"^there is no sweep and no file \.\./elsewhere$"):
        find_sweep("../elsewhere", sweeps)
    assert find_sweep(str(sweeps / "linked"), sweeps).directory == elsewhere


def test_trials_are_in_the_order_of_their_numbers(store: ResultsStore) -> None:
    """Four digits are the least, not the most."""
    names = ["10000", "1001", "0002"]
    keep(store, *(ended(name, RunEnd.COMPLETED, 80.0) for name in names))
    trials = store.read_trials()
    assert [trial.trial_id for trial in trials] == ["0002", "1001", "10000"]
    best = best_trial(trials[1:])
    assert best is not None and best.trial_id == "1001", "of equal objectives the earlier trial's"
