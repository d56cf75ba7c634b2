"""The best settings are trained again with fresh seeds: a whole small sweep, and one whose driver is killed."""

from pathlib import Path

import pytest

from orchestrator.results.repeats import is_repeat, searched
from orchestrator.results.store import ResultsStore
from orchestrator.search.studies import read_study
from orchestrator.sweep.repeat import train_seed
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
    assert "training the best settings again, with 2 fresh seeds each: " in screen


def test_the_lowest_mean_over_seeds_wins(repeated_sweep: tuple[ResultsStore, str]) -> None:
    store, _ = repeated_sweep
    summary = store.summary()
    settings = searched(store.read_trials())
    best = min(settings, key=lambda trial: trial.seeds.mean)
    runs = [best, *best.repeats]
    assert summary["best"]["trial_id"] == min(runs, key=lambda run: run.objective_mean).trial_id
