"""The best settings are trained again: a whole small sweep, and one whose driver is killed."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.display.report.page import build_report
from orchestrator.results.repeats import is_repeat, searched
from orchestrator.results.store import ResultsStore
from orchestrator.search.studies import read_study
from orchestrator.sweep.repeat import train_seed
from tests.orchestrator.sweep.test_resume import LAUNCH, kill_at, run, start, what_counts
from tests.orchestrator.sweep_helpers import sweep

SEEDS = ("confirm.train_seeds=2", "confirm.top=2", "confirm.seeds=2")


@pytest.fixture(scope="module")
def repeated_sweep(tmp_path_factory: pytest.TempPathFactory, motorbikes: Path) -> tuple[ResultsStore, str]:
    """2 trials, and 2 repeats of each, 2 at once."""
    folder = tmp_path_factory.mktemp("repeats")
    return sweep(folder, motorbikes, "seeds", settings=SEEDS, trials=2, concurrency=2, scheduler="none")


def test_each_setting_is_trained_again(repeated_sweep: tuple[ResultsStore, str]) -> None:
    store, screen = repeated_sweep
    trials = {trial.trial_id: trial for trial in store.read_trials()}
    assert list(trials) == ["0000", "0000s1", "0000s2", "0001", "0001s1", "0001s2"]
    for name, trial in trials.items():
        assert (trial.verdict, trial.epochs, len(trial.confirmed)) == ("completed", 6, 2)
        if not is_repeat(name):
            assert trial.seeds.values == tuple(repeat.objective_mean for repeat in trial.repeats)
            assert [repeat.trial_id for repeat in trial.repeats] == [f"{name}s1", f"{name}s2"]
            for number, repeat in enumerate(trial.repeats, 1):
                assert repeat.params == {**trial.params, "seed": train_seed(0, trial.number, number)}
    assert len({trial.objective for trial in trials.values()}) == 6
    assert len(read_study(store.directory / "study.journal", "seeds").trials) == 2  # Optuna knows nothing of them
    assert "training the best settings again, with 2 fresh training seeds each: " in screen


def test_the_lowest_mean_over_seeds_wins(repeated_sweep: tuple[ResultsStore, str]) -> None:
    store, _ = repeated_sweep
    summary = store.summary()
    settings = searched(store.read_trials())
    best = min(settings, key=lambda trial: trial.seeds.mean)
    runs = [best, *best.repeats]
    assert summary["best"]["trial_id"] == min(runs, key=lambda run: run.objective_mean).trial_id
    assert summary["best_setting"]["winner"] == best.trial_id
    assert 0.5 <= summary["best_setting"]["probability"] <= 1
    assert (store.trials_dir / summary["best"]["trial_id"] / "best.pt").is_file()


def test_screen_mlflow_and_report_say_it(repeated_sweep: tuple[ResultsStore, str]) -> None:
    store, screen = repeated_sweep
    summary, plan = store.summary(), store.read_plan()
    best = next(one for one in summary["trials"] if one["trial_id"] == summary["best_setting"]["winner"])
    said = f"{best['trial_id']}: {best['seeds_mean']:.2f} ± {best['seeds_spread']:.2f} over 2 training seeds"
    assert said in screen and "finished: 2 of 2 trials: 2 completed; 4 of 4 training seeds done" in screen
    assert "(2 trials + 4 with fresh training seeds) x 6 epochs" in screen
    client = MlflowClient(plan.tracking_uri)
    experiment = client.get_experiment_by_name(plan.space)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], f"tags.`gan_sweep.sweep` = '{plan.sweep}'")
    by_trial = {run.data.tags["gan_sweep.trial"]: run.data for run in runs}
    assert len(runs) == 7
    parent, setting = by_trial["none"], by_trial[best["trial_id"]]
    assert parent.tags["best_setting"] == best["trial_id"] and parent.tags["best_trial"] == summary["best"]["trial_id"]
    for data in (parent, setting):
        assert data.metrics["seeds_mean"] == round(best["seeds_mean"], 3) and data.metrics["seeds_n"] == 2
    repeat = by_trial["0001s2"]
    assert (repeat.tags["repeat_of"], repeat.tags["train_seed"]) == ("0001", repeat.params["seed"])
    html = build_report([store], nearest_images=False).html
    assert (
        f"wins by the mean over training seeds: {said.partition(': ')[2]}" in html and "training seeds</button>" in html
    )


@pytest.mark.slow
def test_a_killed_driver_is_followed_by_one_that_repeats_none_that_is_done(
    repeated_sweep: tuple[ResultsStore, str], motorbikes: Path, tmp_path: Path
) -> None:
    """The driver is killed in a second repeat; the end is that of the sweep which nobody killed."""
    other = {"4": "2", "scheduler.name=asha_stopping": "scheduler.name=none"}
    words = [other.get(word, word) for word in LAUNCH]
    words += [word for setting in SEEDS for word in ("--set", setting)]
    words += ["--concurrency", "2", "--data", str(motorbikes), "--sweeps-dir", str(tmp_path)]
    kill_at(start(*words, "--name", "killed"), "s2  epoch 2/6")
    store, whole = ResultsStore(tmp_path / "killed"), repeated_sweep[0]
    done = {trial.trial_id for trial in store.read_trials() if trial.over}
    assert done & {"0000s1", "0001s1"} and not done >= {"0000s2", "0001s2"}
    code, shown = run("resume", "killed", "--sweeps-dir", str(tmp_path))
    assert code == 0 and "4 of 4 training seeds done" in shown, shown
    assert what_counts(store) == what_counts(whole)
    assert [one.seeds for one in store.read_trials()] == [one.seeds for one in whole.read_trials()]
    for trial in store.read_trials():
        lines = (store.trials_dir / trial.trial_id / "history.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, trial.epochs + 1))
    code, shown = run("resume", "killed", "--sweeps-dir", str(tmp_path))
    assert code == 2 and "sweep killed is finished: 2 of 2 trials" in shown
