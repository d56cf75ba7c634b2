"""The best trial, its files and what to do with them: what `results`, `status` and the end of a launch print."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli import COMMANDS
from orchestrator.display.status_text import print_all, print_one
from orchestrator.display.summary import print_results
from orchestrator.display.winner_text import counts_text, winner_rows
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import StopReason, SweepStatus
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, keep
from trainers.run_report import RunEnd


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    """The best was cut by the scheduler in the window, another ended by the user; one is cut short by the end."""
    store = begun(tmp_path / "s", replace(PLAN, trials=5))
    cut, whole = ended("0000", StopReason.OUTRANKED, 60.0), ended("0001", RunEnd.COMPLETED, 61.0)
    cut.confirmed, whole.confirmed = [62.0, 64.0], [65.0, 66.0]
    keep(store, cut, whole, ended("0002", StopReason.STOPPED_BY_USER, None), TrialRecord("0003", {}, 4, 200.0))
    (store.trials_dir / "0000" / "samples").mkdir()
    for file in ("samples/epoch_0003.png", "best.pt"):
        (store.trials_dir / "0000" / file).touch()
    close(store, SweepStatus.INTERRUPTED)
    return store


def results_of(store: ResultsStore, width: int = 80) -> str:
    screen = io.StringIO()
    print_results(Console(file=screen, width=width), store)
    return screen.getvalue()


def test_results_name_the_winners_picture_and_checkpoint_and_what_comes_next(store: ResultsStore) -> None:
    shown = results_of(store)
    best = store.trials_dir / "0000"
    assert f"samples      {best / 'samples' / 'epoch_0003.png'}\n" in shown
    assert f"checkpoint   {best / 'best.pt'}\n" in shown
    commands = re.findall(rf"gan-sweep (\S+) {re.escape(str(store.directory))}", shown)
    assert {"generate", "serve", "report", "export", "ui", "resume"} <= set(commands)
    assert set(commands) <= set(COMMANDS)


def test_how_much_the_winners_fakes_vary_at_its_best_epoch(store: ResultsStore) -> None:
    assert "diversity" not in results_of(store), "an older log does not say it"
    best = store.read_trials()[0]
    best.measured = [[1, 70.0, 0.2, 1], [3, 60.0, 0.834, 0], [4, 65.0, 0.5, 0]]
    rows = winner_rows(store, "fid", best)
    assert rows["diversity"] == "its fakes vary 83% as much as the real images"


def test_what_was_measured_beside_fid(store: ResultsStore) -> None:
    assert "beside FID" not in results_of(store), "nothing was"
    best = store.read_trials()[0]
    best.beside = {"kid_x_n9": 0.5}
    assert winner_rows(store, "fid", best)["beside FID"] == "KID 0.5", "in training, where it was not measured again"
    best.confirmed_beside = [{"kid_x_n9": kid, "recall_x_n9_k5": 0.5} for kid in (0.01, 0.02)]
    assert winner_rows(store, "fid", best)["beside FID"] == "KID 0.015 ± 0.007, recall 0.5 ± 0"


@pytest.mark.parametrize(("ratio", "sign"), [(0.6, "a sign that it has learnt"), (0.9, "no sign of learning")])
def test_whether_the_winner_copies(store: ResultsStore, ratio: float, sign: str) -> None:
    best = store.read_trials()[0]
    best.confirmed_beside = [{"nearest_null_low_x_n9_h10": 0.8, "nearest_ratio_x_n9_h10": ratio, "kid_x_n9_h10": 0.5}]
    assert "by heart" not in winner_rows(store, "fid", best), "one of its three numbers is missing"
    best.confirmed_beside[0]["nearest_null_x_n9_h10"] = 0.9
    rows = winner_rows(store, "fid", best)
    assert rows["beside FID"] == "KID 0.5" and sign in rows["by heart"]
    assert (
        f"are {ratio:.2f} times" in rows["by heart"] and "images 0.90 times (95% of such sets 0.80" in rows["by heart"]
    )


def test_a_winner_that_was_cut_says_why_it_may_win(store: ResultsStore) -> None:
    assert "its end      outranked after epoch 3 of 4; its best epoch counts all the same\n" in results_of(store)


def test_a_checkpoint_that_is_gone_is_not_named(store: ResultsStore) -> None:
    (store.trials_dir / "0000" / "best.pt").unlink()
    assert "checkpoint   not there any more\n" in results_of(store)


def test_the_heading_fits_a_narrow_terminal(store: ResultsStore) -> None:
    assert results_of(store, 60).splitlines()[0] == "s: interrupted, 4 of 5 trials: 1 completed, 1 pruned, 2 stopped"


def test_marks_are_explained_where_they_stand(store: ResultsStore) -> None:
    assert "\n* the best; ~ does not count: before the window, or its fakes hardly vary\n" in results_of(store)


def test_every_screen_counts_alike_and_shows_the_confirmed_fid(store: ResultsStore) -> None:
    screen, state = io.StringIO(), store.read_state()
    print_all(Console(file=screen), [(store, state)])
    row = screen.getvalue().splitlines()[1]
    assert row.split()[2] == "4/5" and "63.0 ± 1.4" in row
    screen = io.StringIO()
    print_one(Console(file=screen), store, state)
    assert "trials    4 of 5: 1 completed, 1 pruned, 2 stopped, 0 waiting\n" in screen.getvalue()
    assert (
        "fid_test_n2 63.00 ± 1.41 over 2 sets of fresh latents (objective in training 60.00 at epoch 3)"
        in screen.getvalue()
    )


def test_a_trial_that_the_user_ended_is_stopped_and_not_pruned() -> None:
    running = TrialRecord("0001", {}, 4, 0.0)
    assert counts_text([ended("0000", StopReason.STOPPED_BY_USER, None), running]) == "1 training, 1 stopped"
    assert counts_text([]) == ""
