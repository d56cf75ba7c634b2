"""Schedulers over recorded runs."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.replay.cutting import replay_scheduler
from orchestrator.replay.recorded import RecordedRun, Report
from orchestrator.space.sections import SCHEDULERS, SchedulerConfig


def run(name: str, fids: Sequence[float], stretch: int = 1) -> RecordedRun:
    return RecordedRun(name, [Report(stretch * n, {}, fid) for n, fid in enumerate(fids, 1)], len(fids))


RUNS = [run(f"r{level}", [level + 100.0 / n for n in range(1, 11)], level) for level in (10, 20, 30, 40)]


def test_asha_cuts_the_worst_at_its_first_measurement() -> None:
    config = SchedulerConfig(name="asha_stopping", grace_epochs=75, reduction_factor=2)
    cut = replay_scheduler(RUNS, config, epochs=750)
    # All reach the rung at a tenth of the run, r10 first; a run that is not in the better half so far is cut.
    assert cut.steps == {"r20": 20, "r30": 30, "r40": 40}
    assert (cut.saved, cut.best_kept) == (3 * 0.9 / 4, True)


def test_grace_is_a_share_of_the_run() -> None:
    patient = SchedulerConfig(name="asha_stopping", grace_epochs=600, reduction_factor=2)
    cut = replay_scheduler(RUNS, patient, epochs=750)
    assert cut.steps
    assert all(step >= 0.8 * 10 * int(name[1:]) for name, step in cut.steps.items())


def test_a_late_winner_may_be_lost() -> None:
    late = run("late", [*(90.0 for _ in range(9)), 1.0])
    cut = replay_scheduler(
        [*RUNS, late], SchedulerConfig(name="asha_stopping", grace_epochs=75, reduction_factor=2), epochs=750
    )
    assert "late" in cut.steps
    assert not cut.best_kept


def test_runs_that_wait_go_on_when_they_are_among_the_best() -> None:
    config = SchedulerConfig(name="asha", grace_epochs=200, rung_factor=2, reduction_factor=2)
    cut = replay_scheduler(RUNS, config, epochs=1000)
    # r10 goes on when r20 has come, and again at 0.4 and 0.8; r20 when r40 has; the best two of 0.2 meet at 0.4.
    assert cut.steps == {"r20": 80, "r30": 60, "r40": 80}
    assert (cut.saved, cut.best_kept) == (pytest.approx((0.6 + 0.8 + 0.8) / 4), True)


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name not in ("none", "pbt")])
def test_on_the_command_line(tmp_path: Path, name: str) -> None:
    for one in RUNS:
        rows = (f"{report.step},{report.fid}" for report in one.reports)
        (tmp_path / f"{one.name}.csv").write_text("\n".join(["step,fid", *rows]) + "\n")
    arguments = ["replay", str(tmp_path), "--scheduler", name]
    shown = CliRunner().invoke(main, arguments)
    assert f"{name} alone, with the runs as trials of one sweep: " in shown.output
    values = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)["total"]["scheduler"]
    assert (values["name"], values["best_kept"]) == (name, True)
    shown = CliRunner().invoke(main, ["replay", str(tmp_path), "--scheduler", f"{name}x"])
    assert shown.exit_code == 2
    assert f"unknown --scheduler '{name}x': did you mean {name}?" in shown.stderr


def test_a_population_cannot_be_replayed(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("step,fid\n1,9\n2,8\n")
    shown = CliRunner().invoke(main, ["replay", str(tmp_path), "--scheduler", "pbt"])
    assert shown.exit_code == 2 and "--scheduler pbt: it cuts no run" in shown.stderr
