"""Reading recorded runs."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.pruning.d_collapse import DCollapse
from orchestrator.pruning.g_fooling import GFooling
from orchestrator.replay.recorded import RecordedRun, Report, read_log, read_runs, read_sweep
from orchestrator.replay.replay import replay_run
from tests.orchestrator.sweep_helpers import begun, ended, epoch, keep, keep_epochs
from trainers.config import LossConfig
from trainers.errors import UserError
from trainers.loss_scale import UNNAMED
from trainers.losses import build_loss
from trainers.run_report import RunEnd

LOG = """step,elapsed,d_loss,g_loss,fid
100,0:00:46,0.5,1.5,
200,0:01:15,0.25,,80.5
300,1 day 0:01:44,,,nan
400,1 day 0:02:44,0.125,2.5,60.0
"""


def log(folder: Path, text: str = LOG, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_log(tmp_path: Path) -> None:
    run = read_log(log(tmp_path))
    assert (run.name, run.total, run.last_step, run.unit, run.mark) == ("a", 4, 400, "rows", "step")
    assert [report.metrics for report in run.reports] == [
        {"d_loss": 0.5, "g_loss": 1.5},
        {"d_loss": 0.25},
        {},
        {"d_loss": 0.125, "g_loss": 2.5},
    ]
    assert [report.fid for report in run.reports[:2]] == [None, 80.5]
    assert (run.best(), run.best(200), run.final()) == (60.0, 80.5, 60.0)


def test_a_log_without_a_fid_has_no_best(tmp_path: Path) -> None:
    run = read_log(log(tmp_path, "step,fid\n1,\n2,\n"))
    assert math.isnan(run.best())
    assert math.isnan(run.final())


def test_where_steps_go_back_the_run_was_resumed(tmp_path: Path) -> None:
    run = read_log(log(tmp_path, "step,fid\n1,9\n2,8\n3,1\n2,7\n3,6\n4,5\n"))
    assert [(report.step, report.fid) for report in run.reports] == [(1, 9), (2, 7), (3, 6), (4, 5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step,d_loss\n1,2\n", "needs the columns step and fid, has step, d_loss"),
        ("", "needs the columns step and fid, has none"),
        ("step,fid\n", "has no rows"),
        ("step,fid\none,2\n", "line 2: step is 'one', not a number"),
        ("step,fid\n1,2\n2,low\n", "line 3: fid is 'low', not a number"),
    ],
)
def test_a_file_that_is_no_log_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        read_log(log(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_folder_and_a_glob_leave_out_what_is_no_log(tmp_path: Path) -> None:
    paths = [log(tmp_path), log(tmp_path, name="b.csv"), log(tmp_path, "file,rows\na.csv,4\n", "runs.csv")]
    runs, others = read_runs([str(tmp_path)], tmp_path / "sweeps")
    assert ([run.name for run in runs], others) == (["a", "b"], [])
    runs, others = read_runs([str(path) for path in paths], tmp_path / "sweeps")
    assert ([run.name for run in runs], others) == (["a", "b"], [paths[2]])


def test_a_folder_called_like_a_log_is_none(tmp_path: Path) -> None:
    (tmp_path / "old.csv").mkdir()
    log(tmp_path)
    runs, _ = read_runs([str(tmp_path)], tmp_path / "sweeps")
    assert [run.name for run in runs] == ["a"]


def test_places_that_are_nothing_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nope is no sweep, CSV file or folder of CSV files; sweeps in .*: none"):
        read_runs(["nope"], tmp_path)
    with pytest.raises(UserError, match="is no sweep and has no CSV file with the columns step and fid"):
        read_runs([str(tmp_path)], tmp_path / "sweeps")
    with pytest.raises(UserError, match="two runs are called a"):
        read_runs([str(log(tmp_path))] * 2, tmp_path)


def test_the_window_decides_what_counts() -> None:
    from orchestrator.replay.recorded import Report

    reports = [Report(epoch, {}, fid) for epoch, fid in ((1, 5.0), (2, 9.0), (3, 7.0))]
    run = RecordedRun("r", reports, total=3, window_first=2)
    assert (run.best(), run.best(2)) == (7.0, 9.0)
    assert math.isnan(run.best(1))


@pytest.mark.parametrize("name", ["lsgan", "wasserstein"])
def test_a_sweeps_trials_name_their_loss_and_logs_do_not(tmp_path: Path, name: str) -> None:
    store = begun(tmp_path / "s")
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0))
    keep_epochs(store, "0000", epoch(3, fid=80.0))
    (store.trials_dir / "0000" / "config.yaml").write_text(f"loss: {{name: {name}}}\n")
    (run,) = read_sweep(store)
    assert run.scale == build_loss(LossConfig(name=name)).scale() != UNNAMED
    assert read_log(log(tmp_path)).scale == UNNAMED
    low = [Report(at, {"d_loss": 0.0, "g_loss": 0.2}, 90.0 if at > 20 else 30.0) for at in range(1, 41)]
    firings = replay_run(replace(run, reports=low, total=40), (DCollapse(), GFooling())).firings
    assert set(firings) == ({"d_collapse"} if name == "lsgan" else set())
    assert set(replay_run(replace(run, reports=low, total=40, scale=UNNAMED), (DCollapse(), GFooling())).firings) == {
        "d_collapse",
        "g_fooling",
    }
