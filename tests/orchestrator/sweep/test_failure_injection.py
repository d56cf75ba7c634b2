"""Failures injected into a whole sweep: each trial ends with its verdict, the sweep goes on, the results say why."""

import io
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from optuna.trial import TrialState
from rich.console import Console

from orchestrator.cli import main
from orchestrator.commands.launch import launch
from orchestrator.display.summary import print_results
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.results.store import ResultsStore, find_sweep
from orchestrator.search.studies import read_study

HEALTHY = {"optimizer.lr_g": 8e-4, "optimizer.lr_d": 8e-4}
EXPLODES = {"optimizer.lr_g": 10.0, "optimizer.lr_d": 10.0}
OVERFLOWS = {"optimizer.lr_g": 8e-4, "optimizer.lr_d": 1e30}
D_WINS = {"optimizer.lr_g": 1e-9, "optimizer.lr_d": 1e-2}
SPACE = {
    "base": {
        "data": {"image_size": 32, "batch_size": 8},
        "network": {"base_width": 8, "latent_dim": 16},
        "loss": {"name": "bce"},
        "schedule": {"epochs": 8, "window_first": 7, "checkpoint_every": 8, "samples_every": 8},
        "fid": {"extractor": "efficientnet_lite0", "n_fake": 8, "every": 1, "min_diversity": 0.0},
    },
    "search": {
        "optimizer.lr_g": {"choice": [8e-4, 10.0, 1e-9]},
        "optimizer.lr_d": {"choice": [8e-4, 10.0, 1e30, 1e-2]},
    },
    "points": [EXPLODES, OVERFLOWS, D_WINS],
    "scheduler": {"name": "none"},
    "pruning": {"d_collapse": {"warmup": 0, "window": 3, "patience": 3}},
    "confirm": {"top": 0},
}


@pytest.fixture(scope="module")
def store(ray_instance: None, motorbikes: Path, tmp_path_factory: pytest.TempPathFactory) -> ResultsStore:
    """The healthy base first, then three settings that fail."""
    folder = tmp_path_factory.mktemp("failures")
    (folder / "failing.yaml").write_text(yaml.safe_dump(SPACE))
    options = LaunchOptions(
        space=str(folder / "failing.yaml"), data=motorbikes, name="failures", sweeps_dir=folder / "sweeps", trials=4
    )
    assert launch(options, console=Console(file=io.StringIO(), width=200)) == 0
    return find_sweep("failures", folder / "sweeps")


def test_each_ends_with_its_verdict_and_the_sweep_goes_on(store: ResultsStore) -> None:
    assert store.standing().status == "finished"
    trials = store.read_trials()
    assert [trial.params for trial in trials] == [HEALTHY, EXPLODES, OVERFLOWS, D_WINS]
    assert [(trial.verdict, trial.state.value) for trial in trials] == [
        ("completed", "COMPLETED"),
        ("grad_explosion", "FAILED"),
        ("nonfinite", "FAILED"),
        ("d_collapse", "FAILED"),
    ]
    assert [trial.epochs for trial in trials[:3]] == [8, 1, 1], "within one report"
    best = store.summary()["best"]
    assert best["trial_id"] == "0000"


def test_no_trial_stays_running_in_optuna(store: ResultsStore) -> None:
    states = [trial.state for trial in read_study(store.directory / "study.journal", "failures").trials]
    assert states[0] is TrialState.COMPLETE
    assert states[1:] == [TrialState.PRUNED] * 3, "TPE is told of a violated constraint"


def test_results_says_why_in_a_sentence(store: ResultsStore) -> None:
    screen = io.StringIO()
    print_results(Console(file=screen, width=220), store)
    shown = " ".join(screen.getvalue().split())
    assert "grad_explosion: gradient norm of " in shown
    assert "nonfinite: " in shown and " is nan" in shown
    assert "d_collapse: D loss below 0.01 for 3 of 3 epochs while FID " in shown


def test_a_verdict_is_taken_back(store: ResultsStore, tmp_path: Path) -> None:
    """The trial goes on where the rule has ended it, to the end of its plan, and its FIDs count in its window."""
    ended = next(trial for trial in store.read_trials() if trial.verdict == "d_collapse")
    words = [
        "extend",
        str(store.directory),
        "--trials",
        ended.trial_id,
        "--rules",
        "off",
        "--sweeps-dir",
        str(tmp_path),
    ]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output + repr(done.exception)
    after = find_sweep("failures-extended", tmp_path)
    (trial,) = after.read_trials()
    assert (trial.verdict, trial.epochs, trial.total_epochs) == ("completed", 8, 8)
    assert [report.epoch for report in after.read_history("0000")] == list(range(ended.epochs + 1, 9))
    assert trial.best_epoch in (7, 8) and trial.objective is not None


def test_a_trial_that_was_not_finite_is_not_gone_on_with(store: ResultsStore, tmp_path: Path) -> None:
    words = ["extend", str(store.directory), "--trials", "0002", "--epochs", "2", "--sweeps-dir", str(tmp_path)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2 and "has no checkpoint of its best epoch: it has no FID" in refused.stderr
    assert not list(tmp_path.iterdir())
