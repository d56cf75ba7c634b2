"""A sweep as tables, and as files of them."""

import io
import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from orchestrator.cli import main
from orchestrator.results import load
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, TrialOutcome
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, keep, keep_epochs
from trainers.errors import UserError
from trainers.run_report import RunEnd

SEARCH: dict[str, Any] = {
    "optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True},
    "schedule.epochs": {"int": [4, 8]},
    "data.fit": {"choice": ["pad", "stretch"]},
    "network.batchnorm": {"choice": [True, False]},
    "regime.ema_halflife_images": {"choice": [None, 10_000]},
    "regime.monitored_ratio": {"float": [0, 1], "when": {"regime.name": ["monitored"]}},
    "loss.real_label": {"choice": [1, 0.8]},
}
FIRST = {
    "optimizer.lr_g": 8e-4,
    "schedule.epochs": 4,
    "data.fit": "pad",
    "network.batchnorm": True,
    "regime.ema_halflife_images": None,
    "loss.real_label": 1,
}


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """A winner that was measured again, one that was cut, one that trains."""
    definition = {"base": {}, "search": SEARCH}
    store = begun(tmp_path / "s", replace(PLAN, definition=definition, objectives=("fid", "device_seconds")))
    best, cut, open_ = (TrialRecord(name, FIRST, 4, started=100.0, n_fake=2) for name in ("0000", "0001", "0002"))
    cut.params = {**FIRST, "network.batchnorm": False, "regime.ema_halflife_images": 10_000}
    reports = [
        epoch(1, fid=90.0, metrics={"d_loss": 0.5}, n_fake=1),
        epoch(2, metrics={"d_loss": 0.4}),
        epoch(3, fid=60.0, objective=60.0, metrics={"d_loss": 0.3, "penalty": 7.0}, diversity=0.8),
    ]
    for trial, few in ((best, 3), (cut, 1)):
        for report in reports[:few]:
            trial.progress(report)
        keep_epochs(store, trial.trial_id, *reports[:few])
    best.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=3, objective=60.0, best_epoch=3), seconds=12.5)
    best.confirmed, best.confirmed_beside = [61.0, 63.0], [{"recall_test_n2_k5": 0.5}, {"recall_test_n2_k5": 0.25}]
    cut.end(TrialOutcome(verdict=StopReason.OUTRANKED, epochs=1, detail="cut at a rung"), seconds=3.0)
    keep(store, best, cut, open_)
    keep_epochs(store, "0002", epoch(1, metrics={"d_loss": 0.1}))
    return store


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["results", *words])


def test_a_row_per_trial_with_a_column_of_its_own_type_for_each_key(store: ResultsStore) -> None:
    trials = load("s", store.directory.parent).trials
    assert list(trials["trial_id"]) == ["0000", "0001", "0002"]
    assert list(trials["winner"]) == [True, False, False]
    assert list(trials["verdict"].fillna("")) == ["completed", "outranked", ""]
    assert list(trials["state"]) == ["COMPLETED", "PRUNED", "RUNNING"]
    first, second = trials.iloc[0], trials.iloc[1]
    assert (first["objective_mean"], first["objective_spread"], first["confirmed_seeds"]) == (62.0, 2**0.5, 2)
    assert (first["objective"], first["best_epoch"], first["seconds"], first["device_seconds"]) == (60.0, 3, 12.5, 12.5)
    assert first["recall_test_n2_k5"] == 0.375 and pd.isna(second["recall_test_n2_k5"])
    assert second["detail"] == "cut at a rung" and pd.isna(second["objective"])
    assert {key: str(trials[key].dtype) for key in SEARCH} == {
        "optimizer.lr_g": "float64",
        "schedule.epochs": "Int64",
        "data.fit": "string",
        "network.batchnorm": "boolean",
        "regime.ema_halflife_images": "Int64",
        "regime.monitored_ratio": "float64",
        "loss.real_label": "float64",
    }
    assert pd.isna(first["regime.ema_halflife_images"]) and second["regime.ema_halflife_images"] == 10_000
    assert trials["regime.monitored_ratio"].isna().all()


def test_a_row_per_trial_and_epoch_with_every_metric(store: ResultsStore) -> None:
    epochs = load(store.directory).epochs
    assert list(zip(epochs["number"], epochs["epoch"], strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 1), (2, 1)]
    assert list(epochs["fid"].fillna(-1)) == [90.0, -1, 60.0, 90.0, -1]
    assert list(epochs["protocol"].fillna("")) == ["fid_test_n1", "", "fid_test_n2", "fid_test_n1", ""]
    assert list(epochs["d_loss"]) == [0.5, 0.4, 0.3, 0.5, 0.1]
    assert list(epochs["penalty"].fillna(-1)) == [-1, -1, 7.0, -1, -1]
    assert epochs["diversity"].iloc[2] == 0.8


def test_a_sweep_without_trials_has_the_same_columns(store: ResultsStore, tmp_path: Path) -> None:
    empty = load(begun(tmp_path / "new", replace(PLAN, definition={"base": {}, "search": SEARCH})).directory)
    full = load(store.directory)
    assert len(empty.trials) == len(empty.epochs) == 0
    assert set(full.trials) - set(empty.trials) == {"device_seconds", "recall_test_n2_k5"}
    assert dict(empty.trials.dtypes) == {name: full.trials.dtypes[name] for name in empty.trials}


def test_the_import_is_light() -> None:
    """Every process of a sweep imports the package."""
    code = "import sys; from orchestrator.results import load; print({'pandas', 'pyarrow', 'torch'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_a_name_that_is_wrong_says_what_there_is(store: ResultsStore) -> None:
    with pytest.raises(UserError, match="valid: s"):
        load("t", store.directory.parent)


def test_csv_and_parquet_hold_the_same_table(store: ResultsStore, tmp_path: Path) -> None:
    place = str(store.directory)
    read = pd.read_csv(io.StringIO(typed(place, "--format", "csv").output), dtype={"trial_id": str})
    assert list(read["trial_id"]) == ["0000", "0001", "0002"] and list(read["optimizer.lr_g"]) == [8e-4] * 3
    assert typed(place, "-o", str(tmp_path / "t.parquet")).output == ""
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.equals(load(place).trials_arrow)
    assert typed(place, "--epochs", "-o", str(tmp_path / "e.csv")).exit_code == 0
    assert list(pd.read_csv(tmp_path / "e.csv")["epoch"]) == [1, 2, 3, 1, 1]
    written = typed(place, "--format", "parquet", "--epochs").stdout_bytes
    assert parquet.read_table(io.BytesIO(written)).equals(load(place).epochs_arrow)


def test_json_is_json_by_either_name(store: ResultsStore, tmp_path: Path) -> None:
    place, file = str(store.directory), tmp_path / "s.json"
    assert typed(place, "--output", str(file)).exit_code == 0
    assert json.loads(file.read_text()) == json.loads(typed(place, "--json").output)
    assert json.loads(file.read_text()) == json.loads(typed(place, "--format", "json").output)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "tabel"], "unknown --format 'tabel': did you mean table? valid: csv, json, parquet, table"),
        (["--epochs"], "--epochs: goes with --format csv or parquet, not with table"),
        (["-o", "trials.tsv"], "--output trials.tsv: say what to write"),
        (["--json", "--format", "csv"], "--json says another"),
    ],
)
def test_options_that_do_not_go_together(words: list[str], said: str, store: ResultsStore) -> None:
    result = typed(str(store.directory), *words)
    assert result.exit_code == 2 and said in result.stderr


def test_bytes_are_kept_off_a_terminal(store: ResultsStore) -> None:
    leader, follower = pty.openpty()
    words = ["results", str(store.directory), "--format", "parquet"]
    ran = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *words],
        stdout=follower,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    for end in (leader, follower):
        os.close(end)
    assert ran.returncode == 2 and "give -o FILE.parquet" in ran.stderr


def test_without_a_name_the_sweeps_are_listed(store: ResultsStore, tmp_path: Path) -> None:
    shown = typed("--sweeps-dir", str(tmp_path)).output.splitlines()
    assert shown[1].split()[0] == "s" and "gan-sweep results NAME" in shown[-1]
    result = typed("--sweeps-dir", str(tmp_path), "--json")
    assert result.exit_code == 2 and "--format json: name a sweep" in result.stderr
    (tmp_path / "none").mkdir()
    result = typed("--sweeps-dir", str(tmp_path / "none"))
    assert result.exit_code == 2 and "no sweeps in" in result.stderr
