"""Two sweeps side by side: what differs, and what may be said of their winners."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy import stats

from orchestrator.cli import main
from orchestrator.results.comparison import ONE_DRAW, ONE_TRAINING, Row, conclusion, differing, welch
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, keep, repeated
from trainers.run_report import RunEnd

DEFINITION: dict[str, Any] = {
    "base": {"optimizer": {"lr_g": 1e-3, "beta1": 0.5}, "loss": {"real_label": None}},
    "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True}},
    "sampler": {"name": "tpe"},
    "pruning": True,
}
FIRST = replace(PLAN, definition=DEFINITION, fingerprint="abc")


def sweep(tmp_path: Path, name: str, plan: SavedPlan = FIRST, *, fids: list[float], objective: float = 60.0) -> Path:
    store = begun(tmp_path / name, replace(plan, sweep=name))
    trial = ended("0000", RunEnd.COMPLETED, objective)
    trial.confirmed = fids
    keep(store, trial)
    close(store, SweepStatus.FINISHED)
    return store.directory


def states(*directories: Path) -> tuple[SweepState, SweepState]:
    first, second = (ResultsStore(directory).read_state() for directory in directories)
    return first, second


def said(*directories: Path) -> str:
    return " ".join(conclusion(*states(*directories), ("a", "b")))


def test_welch_is_scipys(tmp_path: Path) -> None:
    first, second = [60.0, 61.5, 59.2], [57.0, 57.2, 58.9, 56.1]
    found, theirs = welch(first, second), stats.ttest_ind(second, first, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean / found.error == pytest.approx(theirs.statistic)
    assert found.is_clear == (theirs.pvalue < 0.05)


def test_a_clear_difference_is_one_and_says_what_it_does_not_show(tmp_path: Path) -> None:
    text = said(sweep(tmp_path, "a", fids=[60.0, 61.0, 59.0]), sweep(tmp_path, "b", fids=[50.0, 51.0, 49.0]))
    assert text.startswith(
        f"{ONE_TRAINING} b's winner is 10.00 lower, so the better generator, 12.2 times its standard error (3 and 3 "
    )
    assert text.endswith(ONE_DRAW)
    other_way = said(tmp_path / "b", tmp_path / "a")
    assert "b's winner is 10.00 higher, so the worse generator, 12.2 times" in other_way


def test_a_difference_within_the_spread_is_none(tmp_path: Path) -> None:
    """Two spreads wide, but on two sets of latents each: too few to say."""
    text = said(sweep(tmp_path, "a", fids=[60.0, 61.0]), sweep(tmp_path, "b", fids=[58.6, 59.6]))
    assert "The winners cannot be told apart: b's winner is 1.40 lower, within the spread (2 and 2 sets" in text
    assert "so the better" not in text and "worse" not in text


def test_without_seeds_only_the_numbers_are_given(tmp_path: Path) -> None:
    text = said(sweep(tmp_path, "a", fids=[60.0]), sweep(tmp_path, "b", fids=[50.0, 51.0], objective=50.0))
    assert text.startswith(
        f"{ONE_TRAINING} Which winner is better cannot be said: both must be measured again on two sets of fresh"
    )
    assert "By the lowest FID in training b's winner is 10.00 lower, and" in text and "so the" not in text


def test_equal_values_have_no_spread_to_divide_by(tmp_path: Path) -> None:
    text = said(sweep(tmp_path, "a", fids=[60.0, 60.0]), sweep(tmp_path, "b", fids=[60.0, 60.0]))
    assert "The winners cannot be told apart: b's winner has the same FID, within the spread (2 " in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "fid_other_n2"}, "Not compared: a measures fid_test_n2, b fid_other_n2."),
        ({"fingerprint": "xyz", "data": "/other"}, "Not compared: a FID is measured against the real images"),
        ({"fingerprint": "xyz"}, "The images differ, or are used at other sizes or fits. If it is the images"),
    ],
)
def test_what_cannot_be_compared_is_not(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    first = sweep(tmp_path, "a", fids=[60.0, 61.0])
    text = said(first, sweep(tmp_path, "b", replace(FIRST, **change), fids=[50.0, 51.0]))
    assert text.startswith(message) and ("lower" in text) == ("If it is" in message)


def test_a_sweep_without_a_winner(tmp_path: Path) -> None:
    begun(tmp_path / "b", replace(FIRST, sweep="b"))
    text = said(sweep(tmp_path, "a", fids=[60.0, 61.0]), tmp_path / "b")
    assert text == "b has no winner: no trial has an objective so far."


def test_what_differs_is_a_row_each(tmp_path: Path) -> None:
    definition = {
        "base": {"optimizer": {"lr_g": 2e-3, "beta1": 0.0}, "loss": {"real_label": None}},
        "search": {"loss.real_label": {"float": [0.5, 1.0], "when": {"loss.name": ["ralsgan"]}}},
        "sampler": {"name": "gp", "startup": 5},
        "pruning": {"fid_plateau": False},
    }
    plan = replace(FIRST, definition=definition, seed=3, budgets={"time_s": 60.0, "gpu_hours": None}, version="2")
    found = differing(*states(sweep(tmp_path, "a", fids=[1.0]), sweep(tmp_path, "b", plan, fids=[1.0])))
    assert found == [
        Row("optimizer.lr_g", "0.0001 to 0.01, log; first 0.001", "0.002"),
        Row("optimizer.beta1", "0.5", "0.0"),
        Row("loss.real_label", "null", "0.5 to 1, only when loss.name = ralsgan; first null"),
        Row("sampler.name", "tpe", "gp"),
        Row("seed", "0", "3"),
        Row("version", "", "2"),
        Row("sampler.startup", "-", "5"),
        Row("pruning.fid_plateau", "-", "off"),
        Row("budget time_s", "-", "60.0"),
    ]


def test_the_command(tmp_path: Path) -> None:
    sweep(tmp_path, "a", fids=[60.0, 61.0])
    sweep(tmp_path, "b", replace(FIRST, seed=1), fids=[40.0, 41.0])
    shown = CliRunner().invoke(main, ["compare", "a", "b", "--sweeps-dir", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    assert lines[0] == ["differs", "a", "b"] and lines[1] == ["seed", "0", "1"]
    assert ["trials", "1", "of", "3:", "1", "completed", "1", "of", "3:", "1", "completed"] in lines
    assert ["on", "fresh", "latents", "2", "sets", "2", "sets"] in lines
    assert "60.50 ± 0.71" in shown.output and "b's winner is 20.00 lower" in shown.output
    same = CliRunner().invoke(main, ["compare", "a", "a", "--sweeps-dir", str(tmp_path)]).output
    assert "\nasked for the same: " in same


def test_the_winners_settings_are_what_they_were_trained_with_at_last(tmp_path: Path) -> None:
    """One searched the rate, to the other's it was fixed, and changed before its best epoch."""
    changes = [{"from": 2, "set": {"optimizer.lr_g": 4e-3}}, {"from": 4, "set": {"optimizer.lr_g": 5e-3}}]
    definition = {**DEFINITION, "base": {"optimizer": {"lr_g": 2e-3}}, "search": {}, "changes": changes}
    sweep(tmp_path, "a", fids=[60.0])
    store = begun(tmp_path / "b", replace(FIRST, sweep="b", definition=definition))
    trial = ended("0000", RunEnd.COMPLETED, 60.0)  # its best epoch is 3
    trial.params = {}
    keep(store, trial)
    shown = CliRunner().invoke(main, ["compare", "a", "b", "--sweeps-dir", str(tmp_path)]).output
    _, _, settings = shown.partition("winner's setting")
    assert settings.splitlines()[1].split() == ["optimizer.lr_g", "0.001", "0.004"]


def test_long_names_are_not_cut_into_columns(tmp_path: Path) -> None:
    names = "ralsgan_motorbike-20261129-062257", "ralsgan_motorbike-20261129-081500"
    for name, seed in zip(names, (0, 1), strict=True):
        sweep(tmp_path, name, replace(FIRST, seed=seed), fids=[60.0, 61.0])
    shown = CliRunner().invoke(main, ["compare", *names, "--sweeps-dir", str(tmp_path)]).output
    lines = [line.split() for line in shown.splitlines()]
    assert lines[:4] == [["first", names[0]], ["second", names[1]], [], ["differs", "first", "second"]]
    assert ["outcome", "first", "second"] in lines and ["seed", "0", "1"] in lines


def test_settings_that_were_trained_again_compare_by_their_seeds(tmp_path: Path) -> None:
    for name, seeds in (("a", (60.0, 61.0, 62.0)), ("b", (50.0, 51.0, 52.0)), ("c", (60.5, 61.5, 62.5))):
        store = begun(tmp_path / name, replace(FIRST, sweep=name))
        setting = repeated("0000", 59.0, *seeds)
        keep(store, setting, *setting.repeats)
        close(store, SweepStatus.FINISHED)
    found = "The winning settings, trained again with fresh training seeds (3 and 3),"
    clear = f"{found} differ by more than the spread of those: b's is 10.00 lower, so the better setting, "
    assert clear in said(tmp_path / "a", tmp_path / "b")
    assert ONE_TRAINING not in said(tmp_path / "a", tmp_path / "b")
    level = said(tmp_path / "a", tmp_path / "c")
    assert f"{found} cannot be told apart: b's is 0.50 higher, with an interval" in level and "so the" not in level


def test_two_training_seeds_are_too_few_to_call_a_setting_better(tmp_path: Path) -> None:
    """Trainings that go well or badly do that by themselves."""
    for name, seeds in (("a", (60.0, 60.1)), ("b", (50.0, 50.1))):
        store = begun(tmp_path / name, replace(FIRST, sweep=name))
        setting = repeated("0000", 59.0, *seeds)
        keep(store, setting, *setting.repeats)
        close(store, SweepStatus.FINISHED)
    text = said(tmp_path / "a", tmp_path / "b")
    assert "fresh training seeds (2 and 2), cannot be told apart by so few: b's is 10.00 lower" in text
    assert "so the" not in text
